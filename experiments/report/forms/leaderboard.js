'use strict';
{
  const root = document.currentScript.parentElement;
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const make = (tag, text = '', more = {}) => Object.assign(document.createElement(tag), {textContent: text}, more);
  const columns = Object.entries(data.campaigns).flatMap(([campaign, {report, boards}]) =>
    boards.map(board => ({...board, report, at: [campaign, ...board.at]})));
  const several = new Set(['protocol', 'level', 'metric']);  // may be left open: a column for each
  const form = root.appendChild(make('form')), told = root.appendChild(make('p'));
  told.setAttribute('aria-live', 'polite');
  const scroll = root.appendChild(make('div', '', {className: 'scroll', tabIndex: 0}));
  scroll.setAttribute('role', 'region');
  scroll.setAttribute('aria-label', 'Ranks');
  const detail = root.appendChild(make('section', '', {className: 'detail', hidden: true, tabIndex: -1}));
  const selects = data.axes.map((axis, i) => {
    const label = form.appendChild(make('label', axis[0].toUpperCase() + axis.slice(1)));
    const select = label.appendChild(make('select', '', {name: axis}));
    select.addEventListener('change', () => refresh(i));
    return select;
  });
  const metric = data.axes.indexOf('metric'), group = data.axes.indexOf('regressors');

  // a property of the data has no regressors: it fits every group
  const fits = (column, chosen, upTo) => column.at.every((value, i) =>
    i >= upTo || chosen[i] === 'all' || value === chosen[i] || (i === group && value === ''));

  // of every axis the values that the choices before it leave; a choice that is still there stays
  const refresh = () => {
    const chosen = [];
    selects.forEach((select, i) => {
      const left = columns.filter(column => fits(column, chosen, i));
      const values = [...new Set(left.map(column => column.at[i]).filter(Boolean))];
      const offered = several.has(data.axes[i]) && values.length > 1 ? ['all', ...values] : values;
      const before = select.value;
      select.replaceChildren(...offered.map(value => make('option', value, {value})));
      const first = i === metric && values.length ? values[0] : offered[0] ?? '';
      select.value = offered.includes(before) ? before : first;
      chosen.push(select.value);
    });
    draw(columns.filter(column => fits(column, chosen, chosen.length)));
  };

  let by = 0;
  const draw = shown => {
    by = Math.min(by, Math.max(shown.length - 1, 0));
    detail.hidden = true;
    told.textContent = shown.length ? `${shown.length} column${shown.length > 1 ? 's' : ''}. `
      + 'Each number is an average rank, 1 the best, with its 95 % interval.' : 'Nothing is ranked in this view.';
    const table = make('table'), head = table.createTHead().insertRow(), body = table.createTBody();
    head.append(make('th', 'method', {scope: 'col'}));
    shown.forEach((column, i) => {
      const th = head.appendChild(make('th', '', {scope: 'col', title: column.meaning}));
      const sort = th.appendChild(make('button', column.at[metric], {type: 'button'}));
      sort.append(make('small', `${column.at[4]}, ${column.at[5]}`),
        make('small', `${column.datasets.length} datasets, critical difference ${column.cd}`));
      sort.addEventListener('click', () => { by = i; draw(shown); });
      if (i === by) th.setAttribute('aria-sort', 'ascending');
    });
    const titles = [...new Set(shown.flatMap(column => column.places.map(place => place[0])))];
    const at = shown.map(column => new Map(column.places.map(place => [place[0], place])));
    const rank = title => at[by]?.get(title)?.[1] ?? Infinity;
    titles.sort((a, b) => rank(a) - rank(b));
    const ranked = new Set(titles.filter(title => at.some(places => places.get(title)?.[1] != null)));
    [...titles.filter(t => ranked.has(t)), ...titles.filter(t => !ranked.has(t))].forEach(title => {
      const row = body.insertRow();
      if (!ranked.has(title)) row.className = 'control';
      row.append(make('th', title, {scope: 'row'}));
      shown.forEach((column, i) => cell(row.insertCell(), column, at[i].get(title)));
    });
    scroll.replaceChildren(table);
  };

  const cell = (td, column, place) => {
    if (!place) { td.textContent = '–'; return; }
    const [title, rank, low, high] = place;
    const ranks = column.places.map(other => other[1]).filter(value => value !== null), most = ranks.length;
    const button = td.appendChild(make('button', rank === null ? 'not ranked' : rank.toFixed(2), {type: 'button'}));
    button.setAttribute('aria-label', `${title}, ${column.at[metric]}: ${rank === null ? 'not ranked' : 'rank ' + rank.toFixed(2)}; details`);
    if (rank !== null && rank === Math.min(...ranks)) td.className = 'best';
    if (low !== null) {
      const percent = value => `${100 * (value - 1) / Math.max(most - 1, 1)}%`;
      button.append(make('small', `[${low.toFixed(1)}, ${high.toFixed(1)}]`));
      const range = button.appendChild(make('span', '', {className: 'range'}));
      const bar = range.appendChild(make('i')), dot = range.appendChild(make('b'));
      bar.style.left = percent(low);
      bar.style.right = `${100 - parseFloat(percent(high))}%`;
      dot.style.left = percent(rank);
    }
    button.addEventListener('click', () => explain(column, place));
  };

  const anchor = (text, column, name) =>
    column.report ? make('a', text, {href: `${column.report}#${name}`}) : make('span', text);

  const explain = (column, [title, rank, low, high, values, command]) => {
    detail.replaceChildren(make('h3', `${title}: ${column.at[metric]}`),
      make('p', `${column.at.slice(0, 6).filter(Boolean).join(', ')}. ${column.meaning}`
        + (column.better ? `; ${column.better === 'low' ? 'lower' : 'higher'} is better.` : '.')
        + (column.regressors ? ` Regressors: ${column.regressors}.` : '')));
    const table = make('table'), head = table.createTHead().insertRow(), row = table.createTBody().insertRow();
    head.append(make('th', 'dataset', {scope: 'col'}));
    row.append(make('th', column.at[metric], {scope: 'row'}));
    column.datasets.forEach((dataset, i) => {
      head.appendChild(make('th', '', {scope: 'col'})).append(anchor(dataset, column, column.runs[i]));
      row.append(make('td', values[i] === null ? '–' : values[i].toFixed(column.decimals)));
    });
    const box = make('div', '', {className: 'scroll', tabIndex: 0});
    box.append(table);
    const where = make('p', 'All methods: ');
    where.append(anchor(column.report ? `table ${column.table}` : `python -m experiments.report campaign=${column.at[0]}`, column, column.table));
    detail.append(box, where, make('p', 'What computes it (stored cells are not computed again):'),
      make('pre', command));
    detail.hidden = false;
    detail.focus();
    detail.scrollIntoView({block: 'nearest'});
  };

  form.addEventListener('submit', event => event.preventDefault());
  refresh();
}
