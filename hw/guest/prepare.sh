#!/bin/bash
# prepare.sh [CACHE_DIR]: puts a guest kernel and its modules into CACHE_DIR.
#
# Fetches Debian's 6.12 kernel with apt-get download, unpacks it without installing it, and builds out of tree gpio-sim,
# which Debian does not ship, and kernel/nabat_bus.c. Results: vmlinux, modules/*.ko, modules/deps ("name: what it needs").
# Running it again does nothing until this file or the module changes; delete CACHE_DIR to get a newer kernel.
set -euo pipefail

# To give the guest another kernel module, name it here and in Job.Modules. What Debian does not ship is built in
# build_modules.
modules=(gpio_sim nabat_bus i2c_dev bochs snd_aloop virtio_blk crc32c_intel ext4)

say() { printf 'guest kernel [%3d s] %s\n' "$SECONDS" "$*" >&2; }
fail() {
  printf 'guest kernel: %s\n' "$1" >&2
  printf '  remedy: %s\n' "$2" >&2
  exit 1
}
trap 'fail "line $LINENO failed unexpectedly" "run bash -x $0 $* and read the last lines"' ERR
install_line='apt-get install -y --no-install-recommends'

self=$(realpath "$0")
cache=${1:-$(dirname "$self")/../../.cache/guest}
cache=$(realpath -m "$cache")
mkdir -p "$cache" || fail "cannot make $cache" "choose a directory that you may write to"
cd "$cache"

exec 9>lock
flock -w 900 9 || fail "another prepare.sh has held $cache/lock for 15 minutes" "end it, then run again"
stamp=$(cat "$self" "$(dirname "$self")"/kernel/*.c | sha256sum | cut -d' ' -f1)
if [ "$(cat ready 2>/dev/null)" = "$stamp" ]; then exit 0; fi
rm -f ready

need() { # need PROGRAM PACKAGE
  command -v "$1" >/dev/null || fail "$1 is missing" "$install_line $2"
}
need apt-get apt
need apt-cache apt
need dpkg dpkg
need make make
need gcc-12 gcc-12
need strip binutils
need xz xz-utils
need zstd zstd
need modinfo kmod
[ -e /usr/include/libelf.h ] || [ -e /usr/include/gelf.h ] || fail "libelf's headers are missing" "$install_line libelf-dev"

resolve_kernel() { # sets image (package name), release (uname -r), abi, version
  image=$(apt-cache depends linux-image-6.12-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-6\.12[^ ]*\)$/\1/p' | head -n1)
  [ -n "$image" ] || fail "apt knows no package linux-image-6.12-amd64" \
    "run apt-get update; on Debian 12 the package comes from bookworm-security"
  release=${image#linux-image-}
  abi=${release%-amd64}
  version=$(apt-cache policy "$image" | sed -n 's/^ *Candidate: //p')
}

download() {
  rm -rf debs tree && mkdir -p debs tree
  (cd debs && apt-get -qq -o APT::Sandbox::User=root download \
    "$image=$version" "linux-headers-$release=$version" "linux-headers-$abi-common=$version" \
    "linux-kbuild-$abi=$version" "linux-source-6.12=$version" >apt.log 2>&1) || {
    cat debs/apt.log >&2
    fail "the kernel packages of version $version cannot be fetched" "check the network, run apt-get update, then run again"
  }
  say "fetched $(du -sh debs | cut -f1)"
  local deb
  for deb in debs/*.deb; do dpkg -x "$deb" tree; done
  say unpacked
}

build_modules() {
  local headers=$cache/tree/usr/src/linux-headers-$release src=linux-source-6.12
  # The headers name each other by their installed place.
  sed -i "s#^include /usr/src/#include $cache/tree/usr/src/#" "$headers/Makefile"
  # Without vmlinux beside the headers kbuild makes no type information, which would need pahole.
  rm -f "$headers/vmlinux"
  rm -rf build && mkdir build
  tar -C build --strip-components=1 -xJf "tree/usr/src/$src.tar.xz" \
    "$src/drivers/gpio/gpio-sim.c" "$src/kernel/irq/irq_sim.c" "$src/scripts/extract-vmlinux"
  cp build/drivers/gpio/gpio-sim.c build/gpio-sim-driver.c
  # irq_to_desc is not exported to modules; the same descriptor is reached through functions that are.
  sed 's/irq_to_desc(irqnum)/irq_data_to_desc(irq_get_irq_data(irqnum))/' build/kernel/irq/irq_sim.c >build/irq_sim.c
  cp "$(dirname "$self")"/kernel/*.c build/
  printf '%s\n' 'obj-m += gpio-sim.o nabat_bus.o' 'gpio-sim-y := gpio-sim-driver.o irq_sim.o' >build/Kbuild
  make -s -C "$headers" M="$cache/build" modules >build/make.log 2>&1 || {
    tail -n 25 build/make.log >&2
    fail "gpio-sim or nabat_bus does not build against $release" "read $cache/build/make.log; $install_line gcc-12 make libelf-dev"
  }
  bash build/scripts/extract-vmlinux "tree/boot/vmlinuz-$release" >vmlinux 2>/dev/null || true
  [ -s vmlinux ] || fail "no vmlinux inside vmlinuz-$release" "$install_line xz-utils zstd"
  say "built gpio-sim and nabat_bus for $release"
}

declare -A collected
collect() { # collect MODULE: copies it and what it needs to modules/, unpacked, and notes what it needs
  local name=${1//-/_} file needs dep
  [ -z "${collected[$name]:-}" ] || return 0
  collected[$name]=yes
  file=$(find build tree \( -name "$name.ko*" -o -name "${name//_/-}.ko*" \) -print -quit)
  if [ -z "$file" ]; then
    grep -qrs --include=modules.builtin "/${name//_/[-_]}\.ko" tree ||
      fail "the kernel $release has no module $name" "correct the list at the top of $self"
    say "$name is built into the kernel"
    return 0
  fi
  needs=$(modinfo -F depends "$file" | tr ',-' ' _')
  for dep in $needs; do collect "$dep"; done
  case $file in
  *.xz) xz -dc "$file" >"modules/$name.ko" ;;
  *.zst) zstd -qdc "$file" >"modules/$name.ko" ;;
  *) strip -g -o "modules/$name.ko" "$file" ;;
  esac
  echo "$name: $needs" >>modules/deps
}

resolve_kernel
say "kernel $release, version $version"
download
build_modules
rm -rf modules && mkdir modules
for m in "${modules[@]}"; do collect "$m"; done
# debs and tree stay out of the cache: half a gigabyte that nothing reads again.
rm -rf debs tree
echo "$release" >release
echo "$stamp" >ready
say "ready: $(wc -l <modules/deps) modules, $(du -sh "$cache" | cut -f1)"
