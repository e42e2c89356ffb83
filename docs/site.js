// The theme opens its menu by a label, and follows Enter on one: let the keyboard reach it, too.
document.querySelectorAll('label.md-header__button[for="__drawer"]').forEach(label => {
  label.tabIndex = 0;
  label.setAttribute('role', 'button');
  label.setAttribute('aria-label', 'Menu');
});
