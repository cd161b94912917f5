#!/usr/bin/env bash
# Makes what a test guest boots: Debian's kernel and an initramfs that mounts the host's root read-only by 9p, with a tmpfs laid over
# it, so that a guest has the host's programs under another kernel and other hardware. Prints the folder.
#   test/guest/image.sh [FOLDER]      (default: build/guest)
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath -m "${1:-build/guest}")

package=$(apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
[ -n "$package" ] || { echo "no linux-image-amd64 in the package lists: run apt-get update" >&2; exit 1; }
release=${package#linux-image-}
script=$(sha256sum "$0" | cut -c1-16)
if [ -f "$out/made" ] && [ "$(cat "$out/made")" = "$release $script" ]; then
  echo "$out"
  exit 0
fi

rm -rf "$out"
mkdir -p "$out/kernel" "$out/initramfs"/{bin,dev,proc,sys,host,upper,new}
(cd "$out" && apt-get download "$package" >&2 && dpkg -x "$package"_*.deb kernel && rm -f "$package"_*.deb)
ln -f "$out/kernel/boot/vmlinuz-$release" "$out/vmlinuz"
depmod -b "$out/kernel" "$release"

# The modules that bring up the root file system; all others are loaded from it later.
modules=$(modprobe -S "$release" -d "$out/kernel" --show-depends -a virtio_pci 9pnet_virtio 9p overlay virtio_net | awk '$1 == "insmod" { print $2 }' | awk '!seen[$0]++')
for module in $modules; do
  cp "$module" "$out/initramfs/"
  basename "$module" >> "$out/initramfs/modules"
done
cp "$(command -v busybox)" "$out/initramfs/bin/busybox"

cat > "$out/initramfs/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/$module"; done < /modules
share='trans=virtio,version=9p2000.L,msize=512000'
mount -t 9p -o "ro,cache=loose,$share" root /host
mount -t tmpfs tmpfs /upper
mkdir /upper/up /upper/work
mount -t overlay -o lowerdir=/host,upperdir=/upper/up,workdir=/upper/work overlay /new
mkdir -p /new/guest /new/lib/modules
mount -t 9p -o "$share" guest /new/guest
mount -t 9p -o "ro,cache=loose,$share" kmods /new/lib/modules
mount -t proc proc /new/proc
mount -t sysfs sys /new/sys
mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts pts /new/dev/pts
mount -t tmpfs tmpfs /new/dev/shm
mount -t tmpfs tmpfs /new/run
mount -t cgroup2 cgroup /new/sys/fs/cgroup
mount -t tracefs tracefs /new/sys/kernel/tracing
ip link set lo up
cd /
chroot /new /bin/sh -c 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb; sh /guest/run > /guest/stdout 2> /guest/stderr < /dev/null; echo $? > /guest/status; sync'
poweroff -f
INIT
chmod +x "$out/initramfs/init"
(cd "$out/initramfs" && find . | cpio -o -H newc --quiet | gzip -1) > "$out/initramfs.gz"
echo "$release $script" > "$out/made"
echo "$out"
