document.querySelectorAll('table.sortable').forEach(table => {
  const body = table.tBodies[0];
  const key = (row, i) => {
    const cell = row.cells[i], value = cell.dataset.v;
    return value === undefined ? cell.textContent : value === '' ? null : Number(value);
  };
  table.querySelectorAll('thead th').forEach((head, i) => head.addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') !== 'descending';
    table.querySelectorAll('thead th').forEach(other => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const compare = (a, b) => {
      const below = a.classList.contains('control') - b.classList.contains('control');
      const x = key(a, i), y = key(b, i);
      if (below) return below;
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    };
    [...body.rows].sort(compare).forEach(row => body.appendChild(row));
  }));
});
