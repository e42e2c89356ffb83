'use strict';
const every = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// dark or light: what the system says, until the button says otherwise
const dark = matchMedia('(prefers-color-scheme: dark)');
const theme = wanted => document.documentElement.dataset.theme = wanted ? 'dark' : 'light';
theme(dark.matches);
dark.addEventListener('change', event => theme(event.matches));
document.querySelector('#theme').addEventListener('click',
  () => theme(document.documentElement.dataset.theme !== 'dark'));

// on a phone the contents are folded, and fold again after a jump
const menu = document.querySelector('.menu'), narrow = matchMedia('(max-width: 60rem)');
const fold = () => menu.open = !narrow.matches;
fold();
narrow.addEventListener('change', fold);
menu.addEventListener('click', event => { if (event.target.closest('a')) fold(); });

// sorting: by the unrounded value, else by the text; controls stay below
every('table.sortable').forEach(table => {
  const body = table.tBodies[0], heads = every('thead th', table);
  const key = (row, i) => {
    const cell = row.cells[i], value = cell.dataset.v;
    return value === undefined ? cell.textContent : value === '' ? null : Number(value);
  };
  heads.forEach((head, i) => head.addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') !== 'descending';
    heads.forEach(other => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const compare = (a, b) => {
      const below = a.classList.contains('control') - b.classList.contains('control');
      const x = key(a, i), y = key(b, i);
      if (below) return below;
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === 'number' && typeof y === 'number' ? x - y
        : String(x).localeCompare(String(y), undefined, {numeric: true});
      return down ? -order : order;
    };
    [...body.rows].sort(compare).forEach(row => body.appendChild(row));
  }));
});

// one table of several, one condition of several
every('.folded').forEach(folded => {
  const select = folded.querySelector('select');
  const show = () => every('.one', folded).forEach(one => one.hidden = one.dataset.title !== select.value);
  select.addEventListener('change', show);
  show();
});
const axes = every('#results select[data-axis]'), options = every('.option');
const choose = () => {
  options.forEach(option => option.hidden = axes.some(axis => option.dataset[axis.dataset.axis] !== axis.value));
  const none = document.querySelector('#results .none');
  if (none) none.hidden = options.some(option => !option.hidden);
};
axes.forEach(axis => axis.addEventListener('change', choose));
choose();

// a link into what is not shown shows it
const reveal = () => {
  const wanted = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!wanted) return;
  const option = wanted.closest('.option'), one = wanted.closest('.one');
  if (option) { axes.forEach(axis => axis.value = option.dataset[axis.dataset.axis]); choose(); }
  if (one) {
    const select = one.parentElement.querySelector('select');
    select.value = one.dataset.title;
    select.dispatchEvent(new Event('change'));
  }
  wanted.scrollIntoView();
};
addEventListener('hashchange', reveal);
reveal();

// methods that are not wanted
const boxes = every('#methods input');
const filter = () => {
  const off = new Set(boxes.filter(box => !box.checked).map(box => box.value));
  every('tr[data-m]').forEach(row => row.hidden = off.has(row.dataset.m));
};
boxes.forEach(box => box.addEventListener('change', filter));
every('#methods button').forEach(button => button.addEventListener('click', () => {
  boxes.forEach(box => box.checked = button.dataset.all === '1');
  filter();
}));

// downloads: a table as csv with its unrounded values, a picture as it is
const save = (href, name) => Object.assign(document.createElement('a'), {href, download: name}).click();
const quoted = text => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
every('.get').forEach(button => button.addEventListener('click', () => {
  const figure = button.closest('figure'), image = figure.querySelector('img');
  if (image) return save(image.src, button.dataset.get);
  const lines = every('tr', figure).map(row => [...row.cells]
    .map(cell => quoted(cell.dataset.v ?? cell.textContent.trim())).join(','));
  const url = URL.createObjectURL(new Blob([lines.join('\n') + '\n'], {type: 'text/csv'}));
  save(url, button.dataset.get);
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}));
