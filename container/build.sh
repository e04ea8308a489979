#!/bin/sh
# Build the software of the image: build.sh COLLECTION PREFIX [PYTHON]
#
# COLLECTION is a checkout. Packages come from PyPI and npm, all with pinned versions. PREFIX is where the software will run, because virtual
# environments cannot be moved. Nothing that builds or installs is left in it.
set -eu
collection=$1 prefix=$2
python=${3:-$(command -v python3.12 || command -v python3)}
files=$collection/roles/key_portal/files

make_venv() { # make_venv FOLDER REQUIREMENTS
  "$python" -m venv "$1"
  "$1/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes --requirement "$2"
}

copy_from_collection() { # copy_from_collection LIST FOLDER
  while read -r path; do
    mkdir -p "$2/$(dirname "$path")"
    cp -R "$collection/$path" "$2/$path"
  done <"$1"
}

# The portal, and the code of the collection that it uses.
make_venv "$prefix/portal/venv" "$files/requirements.txt"
cp -R "$files/portal" "$files/web" "$prefix/portal/"
copy_from_collection "$files/copied_beside.txt" "$prefix/portal/ansible_collections/rhpds/litellm_virtual_keys"

# The packages of the pages. Node is only for npm.
make_venv "$prefix/node" "$files/web/requirements.txt"
(
  cd "$prefix/portal/web"
  PATH=$prefix/node/bin:$PATH npm ci --omit dev --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error --cache "$prefix/npm-cache"
)
rm -rf "$prefix/node" "$prefix/npm-cache"

# Ansible with the whole collection, for the worker and as an execution environment.
make_venv "$prefix/worker/venv" "$collection/container/requirements.txt"
installed=$prefix/worker/ansible_collections/rhpds/litellm_virtual_keys
mkdir -p "$installed"
for part in LICENSE README.md galaxy.yml extensions meta playbooks plugins roles; do
  cp -R "$collection/$part" "$installed/"
done

# Nobody can write compiled files later, and without them every start takes seconds longer.
"$prefix/portal/venv/bin/python" -m compileall -q "$prefix/portal/portal" "$prefix/portal/ansible_collections"
"$prefix/worker/venv/bin/python" -m compileall -q "$prefix/worker/ansible_collections"

for venv in "$prefix/portal/venv" "$prefix/worker/venv"; do
  "$venv/bin/python" -B -m pip uninstall --quiet --yes setuptools pip 2>/dev/null
done
