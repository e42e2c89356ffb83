#!/bin/sh
# Build what is released from a clean checkout, check it, and say how to tag and upload it. `make release` calls this.
set -eu

PYTHON=${PYTHON:-.venv/bin/python}
cd "$(dirname "$0")"
refuse() { echo "release: $*" >&2; exit 1; }

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' denograd/__init__.py)
[ -n "$version" ] || refuse "denograd/__init__.py has no line of the form __version__ = \"1.2.3\""

# The tree is what the tag will name, and the changelog knows the version.
[ -z "$(git status --porcelain)" ] || refuse "the checkout has changes that are not committed; see git status"
! git rev-parse --quiet --verify "refs/tags/v$version" >/dev/null ||
    refuse "v$version is tagged already; raise __version__ in denograd/__init__.py"
heading=$(grep -E "^## $version( |\$)" CHANGELOG.md || true)
case $heading in
"") refuse "CHANGELOG.md has no heading '## $version'" ;;
*unreleased*) refuse "CHANGELOG.md calls $version unreleased; put the date there: '## $version ($(date +%F))'" ;;
esac

rm -rf dist
"$PYTHON" -m build --no-isolation --outdir dist .
"$PYTHON" -m twine check --strict dist/*

# The message of the tag: this version's part of the changelog.
awk -v heading="$heading" '$0 == heading { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md |
    { echo "denograd-harness $version"; cat; } >dist/.tag-message
echo "release: dist/ is ready. To publish it:"
echo "    git tag -a v$version --cleanup=whitespace -F dist/.tag-message && git push origin v$version"
echo "    $PYTHON -m twine upload dist/*.whl dist/*.tar.gz"
