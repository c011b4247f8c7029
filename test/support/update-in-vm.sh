# Changes limits of a container in the test VM and prints what the kernel has then: update.test.ts.
set -eu
runts=$1
state=/run/state bundle=/run/bundle
mkdir -p $bundle/rootfs/bin $state
cp "$(command -v busybox)" $bundle/rootfs/bin/busybox
ln -s busybox $bundle/rootfs/bin/sleep
"$runts" spec --bundle $bundle
sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"sleep", "1000"/' $bundle/config.json
r() { "$runts" --root $state "$@"; }
show() { for file; do echo "$file=$(cat /sys/fs/cgroup/c/$file)"; done; }
refused() { if out=$(r "$@" 2>&1); then echo "no failure: $*"; else echo "refused: $out"; fi; }

r run --detach --bundle $bundle c </dev/null >/dev/null 2>&1
r update --memory 64m --memory-swap 96m --memory-reservation 16m --pids-limit 20 --cpu-share 512 \
  --cpu-quota 50000 --cpu-period 200000 --cpu-burst 10000 --cpuset-cpus 0 --cpuset-mems 0 c
show memory.max memory.swap.max memory.low pids.max cpu.weight cpu.max cpu.max.burst cpuset.cpus cpuset.mems
echo '-- a memory limit alone keeps the swap, a quota alone the period'
r update --memory 128m --cpu-quota 100000 c
show memory.max memory.swap.max cpu.max
echo '-- JSON on standard input'
echo '{"memory":{"limit":0,"swap":-1},"pids":{"limit":-1},"unified":{"memory.high":"max"}}' | r update -r - c
show memory.max memory.swap.max pids.max
echo '-- refused'
refused update --pids-limit 7 --cpuset-cpus 900 c
refused update --memory-swap 1m c
refused update --l3-cache-schema L3:0=f c
show pids.max cpuset.cpus
echo '-- paused'
r pause c
r update --pids-limit 33 c
r resume c
show pids.max
grep -o '"memory":{[^}]*}' $state/c/state.json
r delete --force c
