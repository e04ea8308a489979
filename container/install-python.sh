#!/bin/sh
# Install Python from the distribution: install-python.sh [build]. With `build`, what virtual environments are made with, too.
set -eu
purpose=${1:-}
if command -v microdnf >/dev/null; then
  microdnf install -y --nodocs --setopt=install_weak_deps=0 python3.12
  microdnf clean all
elif command -v apt-get >/dev/null; then
  apt-get update
  apt-get install -y --no-install-recommends ca-certificates python3 ${purpose:+python3-venv}
  rm -rf /var/lib/apt/lists/*
else
  echo "The base image has neither microdnf nor apt-get: take one of UBI or Debian." >&2
  exit 1
fi
