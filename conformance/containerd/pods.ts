/**
 * Cases of CRI with pods.
 *
 * @module
 */
import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { type Case, ok } from '../engines/engine.ts';
import {
  execOutput,
  podOutput,
  podStatus,
  removePod,
  runContainer,
  runPod,
  stopPod,
  waitUntil,
} from './cri.ts';
import { type Containerd, OTHER_ROOT } from './daemon.ts';

export const podCases: readonly Case<Containerd>[] = [
  {
    name: 'CRI Status: runtime and network are ready',
    async run(box) {
      const { status } = await box.cri.call<{
        status: { conditions: { type: string; status: boolean; message: string }[] };
      }>('Status');
      const conditions = status.conditions.map(({ type, status: ready }) => `${type} ${ready}`);
      assert.deepEqual(conditions.sort(), ['NetworkReady true', 'RuntimeReady true']);
    },
  },
  {
    name: 'CRI RunPodSandbox, StopPodSandbox, RemovePodSandbox',
    async run(box) {
      const labels = { app: 'box' };
      const annotations = { 'example.org/note': 'kept' };
      const pod = await runPod(box, { config: { labels, annotations }, handler: 'tested' });
      const status = await podStatus(box, pod);
      assert.equal(status.state, 'SANDBOX_READY');
      assert.match(status.network!.ip, /^10\.88\.\d+\.\d+$/);
      assert.deepEqual([status.labels, status.annotations], [labels, annotations]);
      assert.equal(status.runtime_handler, 'tested');
      await stopPod(box, pod);
      assert.equal((await podStatus(box, pod)).state, 'SANDBOX_NOTREADY');
      // Both may come again.
      await stopPod(box, pod);
      await removePod(box, pod);
      await removePod(box, pod);
      await assert.rejects(podStatus(box, pod), /not found/);
    },
  },
  {
    name: 'CRI RunPodSandbox: a runtime handler that is not configured',
    async run(box) {
      await assert.rejects(runPod(box, { handler: 'unknown' }), /no runtime for "unknown" is configured/);
    },
  },
  {
    name: 'CRI pod: host name and DNS',
    async run(box) {
      const dns = { servers: ['10.0.0.10'], searches: ['svc.example'], options: ['ndots:5'] };
      const pod = await runPod(box, { config: { hostname: 'web-0', dns_config: dns } });
      const text = await podOutput(box, pod, 'hostname; cat /etc/hostname /etc/resolv.conf');
      assert.equal(text, 'web-0\nweb-0\nsearch svc.example\nnameserver 10.0.0.10\noptions ndots:5\n');
    },
  },
  {
    name: 'CRI pod: sysctls',
    async run(box) {
      const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '80', 'kernel.shm_rmid_forced': '1' };
      const pod = await runPod(box, { linux: { sysctls } });
      const text = await podOutput(
        box,
        pod,
        'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced',
      );
      assert.equal(text, '80\n1\n');
    },
  },
  {
    name: 'CRI pod: containers share its network and IPC, and have pids of their own',
    async run(box) {
      const pod = await runPod(box);
      const server = await runContainer(box, pod, [
        'sh',
        '-c',
        'while echo served | nc -l -p 8080; do :; done',
      ]);
      const script = 'until nc 127.0.0.1 8080 </dev/null 2>/dev/null; do sleep 0.1; done; echo $$';
      assert.equal(await podOutput(box, pod, script), 'served\n1\n');
      const links = 'for name in net ipc uts pid; do readlink /proc/self/ns/$name; done';
      const texts = [await execOutput(box, server, links), await podOutput(box, pod, links)];
      const [one, other] = texts.map((text) => text.split('\n'));
      assert.deepEqual(one!.slice(0, 3), other!.slice(0, 3));
      assert.notEqual(one![3], other![3]);
    },
  },
  {
    name: 'CRI pod: reached from the host by its address',
    async run(box) {
      const pod = await runPod(box);
      const { ip } = (await podStatus(box, pod)).network!;
      await runContainer(box, pod, ['sh', '-c', 'while echo served | nc -l -p 8080; do :; done']);
      const text = await waitUntil('an answer', () => {
        try {
          return ok(box.setting.place, ['busybox', 'nc', ip, '8080']);
        } catch {
          return undefined; // It doesn't listen yet.
        }
      });
      assert.equal(text, 'served\n');
    },
  },
  {
    name: 'CRI pod: a port of the host',
    async run(box) {
      const port = { protocol: 0, container_port: 8080, host_port: 18080 };
      const pod = await runPod(box, { config: { port_mappings: [port] } });
      await runContainer(box, pod, ['sh', '-c', 'while echo served | nc -l -p 8080; do :; done']);
      const text = await waitUntil('an answer', () => {
        try {
          return ok(box.setting.place, ['busybox', 'nc', '10.88.0.1', '18080']);
        } catch {
          return undefined; // It doesn't listen yet.
        }
      });
      assert.equal(text, 'served\n');
    },
  },
  {
    name: 'CRI pod: the network of the host',
    async run(box) {
      const options = { network: 'NODE', pid: 'CONTAINER' };
      const pod = await runPod(box, { config: { hostname: '' }, security: { namespace_options: options } });
      const security = { namespace_options: options };
      const text = await podOutput(box, pod, 'readlink /proc/self/ns/net', { security });
      assert.equal(text.trim(), readlinkSync('/proc/self/ns/net'));
    },
  },
  {
    name: 'CRI pod: the pids of the host',
    async run(box) {
      const options = { pid: 'NODE' };
      const pod = await runPod(box, { security: { namespace_options: options } });
      const security = { namespace_options: options };
      const text = await podOutput(box, pod, 'readlink /proc/self/ns/pid', { security });
      assert.equal(text.trim(), readlinkSync('/proc/self/ns/pid'));
    },
  },
  {
    name: 'CRI pod: pids shared by its containers',
    async run(box) {
      const options = { pid: 'POD' };
      const pod = await runPod(box, { security: { namespace_options: options } });
      const security = { namespace_options: options };
      await runContainer(box, pod, ['sleep', '601'], { security });
      const text = await podOutput(box, pod, 'ps -o args; echo "pid $$"', { security });
      assert.match(text, /sleep 2147483647\n(.*\n)*sleep 601\n/);
      assert.doesNotMatch(text, /^pid 1$/m);
    },
  },
  {
    name: 'CRI pod: pids of another container',
    async run(box) {
      const pod = await runPod(box);
      const target = await runContainer(box, pod, ['sleep', '602']);
      const security = { namespace_options: { pid: 'TARGET', target_id: target } };
      const text = await podOutput(box, pod, 'ps -o pid,args | grep "sleep 60[2]"', { security });
      assert.match(text, /^ *1 sleep 602\n$/);
    },
  },
  {
    name: 'CRI StopPodSandbox: ends the containers that run',
    async run(box) {
      const pod = await runPod(box);
      const id = await runContainer(box, pod);
      await execOutput(box, id, 'true');
      await stopPod(box, pod);
      const { containers } = await box.cri.call<{ containers: { id: string; state: string }[] }>(
        'ListContainers',
      );
      assert.deepEqual(
        containers.map(({ id: each, state }) => [each, state]),
        [[id, 'CONTAINER_EXITED']],
      );
      await removePod(box, pod);
      assert.deepEqual((await box.cri.call<{ containers: unknown[] }>('ListContainers')).containers, []);
    },
  },
  {
    name: 'CRI pod: options of the shim: Root, NoNewKeyring, NoPivotRoot',
    async run(box) {
      const pod = await runPod(box, { handler: 'tested-options' });
      const id = await runContainer(box, pod);
      assert.equal(await execOutput(box, id, 'ls /etc/group'), '/etc/group\n');
      const { path } = box.setting.runtime;
      const list = JSON.parse(
        ok(box.setting.place, [path, '--root', `${OTHER_ROOT}/k8s.io`, 'list', '--format', 'json']),
      );
      const states = (list as { id: string; status: string }[]).map(({ id: each, status }) => [each, status]);
      assert.deepEqual(
        states.sort(),
        [
          [pod.id, 'running'],
          [id, 'running'],
        ].sort(),
      );
    },
  },
  {
    name: 'CRI pod: ten pods at the same time',
    async run(box) {
      const pods = await Promise.all(Array.from({ length: 10 }, () => runPod(box)));
      const texts = await Promise.all(pods.map((pod) => podOutput(box, pod, 'hostname')));
      assert.deepEqual(
        texts.map((text) => text.trim()),
        pods.map(({ config }) => config.hostname),
      );
      await Promise.all(pods.map((pod) => stopPod(box, pod)));
      await Promise.all(pods.map((pod) => removePod(box, pod)));
    },
  },
];
