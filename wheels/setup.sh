#!/usr/bin/env bash
# Set up everything that `make demo` and `make test` need, in .venv; quick when nothing changed.
#
# ROS 2 Jazzy comes as wheels from PyPI. What they lack is made here: our messages and tf2_msgs are
# built with cmake, and stand-ins for tf2_ros and message_filters are installed where a real one
# is not found. On a robot with ROS installed none of this is used: see README.md.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3.11}
VENV=$PWD/.venv
BUILD=$PWD/.build
unset PYTHONPATH PYTHONHOME AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
unset LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE

fail() { # what was seen, what to do
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

check_machine() {
    [ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] || fail \
        "this machine is $(uname -s) $(uname -m); the ROS wheels exist for Linux x86_64 only." \
        "With ROS installed, build with colcon; for bags alone, 'pip install .' works (README.md)."
    command -v "$PYTHON" >/dev/null || fail \
        "there is no $PYTHON here; Python 3.11 is needed." \
        "Install it (Debian: apt-get install python3.11-venv), or name it: make setup PYTHON=/path/to/python3.11"
    local version
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [ "$version" = 3.11 ] || fail \
        "$PYTHON is Python $version; the pinned packages are for 3.11." \
        "Name another: make setup PYTHON=/path/to/python3.11"
    local tool missing=()
    for tool in cmake g++ make; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -eq 0 ] || fail "missing: ${missing[*]}; cmake >= 3.21, g++ and make are needed." \
        "Debian: apt-get install cmake g++ make"
}

# Run a step unless the files it depends on are as they were when it last succeeded.
once() { # name, files..., --, command...
    local name=$1 files=() digest
    shift
    while [ "$1" != -- ]; do files+=("$1"); shift; done
    shift
    digest=$(find "${files[@]}" -type f -not -path '*/__pycache__/*' -print0 | sort -z |
        xargs -0 sha256sum | sha256sum)
    [ "$(cat "$VENV/.setup-$name" 2>/dev/null)" = "$digest" ] && return
    printf 'setup: %s\n' "$name"
    "$@"
    printf '%s\n' "$digest" >"$VENV/.setup-$name"
}

make_venv() {
    [ -x "$VENV/bin/python" ] && return
    printf 'setup: .venv\n'
    "$PYTHON" -m venv "$VENV" || fail "$PYTHON -m venv failed." \
        'Debian keeps it apart: apt-get install python3.11-venv'
}

install_packages() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        -r wheels/requirements.txt
}

build() { # source folder; built with stock CMake files, into .venv
    local name log
    name=$(basename "$1")
    [ "$1" = . ] && name=depthsync_ros
    log=$BUILD/$name.log
    mkdir -p "$BUILD"
    env PATH="$VENV/bin:$PATH" VIRTUAL_ENV="$VENV" AMENT_PREFIX_PATH="$VENV" \
        CMAKE_PREFIX_PATH="$VENV" bash -euo pipefail -c '
        cmake -S "$1" -B "$2" -G "Unix Makefiles" -DBUILD_TESTING=OFF -DCMAKE_BUILD_TYPE=Release \
            -DCMAKE_INSTALL_PREFIX="$3" -DPython3_EXECUTABLE="$3/bin/python" \
            -DPYTHON_EXECUTABLE="$3/bin/python" -DDEPTHSYNC_PYTHON="$3/bin/python" \
            -DCMAKE_PROJECT_INCLUDE="$PWD/wheels/forgive_missing_includes.cmake"
        cmake --build "$2" --parallel 2
        cmake --install "$2"' build "$1" "$BUILD/$name" "$VENV" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        fail "building $name failed; the whole output is in $log"
    }
}

site_packages() { "$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }

install_package() {
    rm -rf "$(site_packages)/depthsync_ros" # a module that is gone must not linger
    build .
}

install_standins() {
    local name
    "$VENV/bin/python" -c 'import tf2_msgs.msg' 2>/dev/null || build wheels/tf2_msgs
    for name in tf2_ros message_filters; do
        rm -rf "$(site_packages)/$name"
        "$VENV/bin/python" -c "import $name" 2>/dev/null ||
            cp -r "wheels/standins/$name" "$(site_packages)/$name"
    done
}

check_machine
make_venv
once packages wheels/requirements.txt -- install_packages
once standins wheels/standins wheels/tf2_msgs wheels/setup.sh -- install_standins
once depthsync_ros CMakeLists.txt package.xml depthsync_ros msg launch config wheels/setup.sh -- install_package
