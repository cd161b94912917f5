#!/usr/bin/env bash
# Makes what a test guest boots: Debian's kernel and an initramfs that mounts the host's root read-only by 9p, with a tmpfs laid over
# it, so that a guest has the host's programs under another kernel and other hardware. Prints the folder. A guest that starts with
# systemd also has udev, which hosts in containers do not.
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

# udev without its database of hardware: what starts it, what it runs, its rules.
(cd "$out" && apt-get download udev >&2 && dpkg -x udev_*.deb udev && rm -f udev_*.deb)
rm -rf "$out/udev/lib/udev/hwdb.d" "$out/udev/usr"
mkdir -p "$out/initramfs/udev/usr"
cp -a "$out/udev/bin" "$out/udev/lib" "$out/initramfs/udev/usr/"

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
cd /
if grep -q sockdoc.systemd /proc/cmdline; then
  cp -a /udev/usr/. /new/usr/
  units=/new/etc/systemd/system
  rm -rf $units/*.wants $units/*.requires /new/.dockerenv
  # Of what starts, only what settings, modules and interfaces pass through: the rest takes a minute here.
  for link in /new/usr/lib/systemd/system/sysinit.target.wants/* /new/usr/lib/systemd/system/sockets.target.wants/* \
    /new/usr/lib/systemd/system/multi-user.target.wants/* /new/usr/lib/systemd/system/timers.target.wants/*; do
    case $link in
      */systemd-udev* | */systemd-sysctl* | */systemd-modules-load* | */systemd-journald*) ;;
      *) rm -f $link ;;
    esac
  done
  mkdir $units/multi-user.target.wants
  ln -s ../guest.service $units/multi-user.target.wants/guest.service
  cat > $units/guest.service <<'UNIT'
[Unit]
After=network.target sockdoc-tune.service
[Service]
Type=oneshot
Environment=HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/sh -c 'sh /guest/run > /guest/stdout 2> /guest/stderr < /dev/null; echo $$? > /guest/status; sync; systemctl poweroff -ff'
UNIT
  # Cards and interfaces are all that a test has rules for: looking at each device takes a minute too.
  mkdir $units/systemd-udev-trigger.service.d
  cat > $units/systemd-udev-trigger.service.d/guest.conf <<'UNIT'
[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=net --subsystem-match=pci
UNIT
  sh /new/guest/prepare
  umount /new/run /new/sys/fs/cgroup
  exec switch_root /new /lib/systemd/systemd --unit=multi-user.target
fi
ip link set lo up
chroot /new /bin/sh -c 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb; sh /guest/run > /guest/stdout 2> /guest/stderr < /dev/null; echo $? > /guest/status; sync'
poweroff -f
INIT
chmod +x "$out/initramfs/init"
(cd "$out/initramfs" && find . | cpio -o -H newc --quiet | gzip -1) > "$out/initramfs.gz"
echo "$release $script" > "$out/made"
echo "$out"
