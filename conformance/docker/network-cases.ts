/** Bridges, published ports, shared networks. */
import assert from 'node:assert/strict';
import { findBusybox } from '../../scripts/prerequisites.mjs';
import { call, waitFor } from '../engines/engine.ts';
import { type Box, type DockerCase, detach, execIn, sh } from './box.ts';

/** Sends a word to everybody who connects. */
const server = (port: number, word: string) => [
  'sh',
  '-c',
  `while :; do echo ${word} | nc -l -p ${port}; done`,
];

/** What a server on the host's side says. */
function ask({ setting }: Box, port: number): string {
  const { stdout } = call(setting.place, [
    findBusybox()!,
    'timeout',
    '5',
    findBusybox()!,
    'nc',
    '127.0.0.1',
    String(port),
  ]);
  return stdout.trim();
}

export const networkCases: readonly DockerCase[] = [
  {
    name: 'bridge: a published port',
    vm: 'too',
    run(box) {
      detach(box.networked, 'server', ['--publish', '18080:80'], ...server(80, 'served'));
      waitFor('an answer', () => ask(box, 18080) === 'served');
    },
  },
  {
    name: 'bridge: two containers reach each other',
    run({ networked: daemon }) {
      detach(daemon, 'server', [], ...server(80, 'neighbour'));
      const address = daemon.ok(['inspect', '--format', '{{.NetworkSettings.IPAddress}}', 'server']).trim();
      const script = `until nc ${address} 80 | grep neighbour; do sleep 0.1; done`;
      assert.equal(sh(daemon, [], script), 'neighbour');
    },
  },
  {
    name: 'network create: names',
    run({ networked: daemon }) {
      daemon.ok(['network', 'create', 'own']);
      try {
        detach(daemon, 'server', ['--network', 'own', '--network-alias', 'alias'], ...server(80, 'by-name'));
        const script = 'until nc alias 80 | grep by-name; do sleep 0.1; done';
        assert.equal(sh(daemon, ['--network', 'own'], script), 'by-name');
        daemon.ok(['rm', '--force', 'server']);
      } finally {
        daemon.attempt(['network', 'rm', 'own']);
      }
    },
  },
  {
    name: 'network connect and disconnect',
    run({ networked: daemon }) {
      daemon.ok(['network', 'create', 'second']);
      try {
        detach(daemon, 'moving');
        const count = () => execIn(daemon, 'moving', 'ls /sys/class/net | grep -c eth || true');
        daemon.ok(['network', 'connect', 'second', 'moving']);
        assert.equal(count(), '2');
        daemon.ok(['network', 'disconnect', 'second', 'moving']);
        assert.equal(count(), '1');
      } finally {
        daemon.attempt(['rm', '--force', 'moving']);
        daemon.attempt(['network', 'rm', 'second']);
      }
    },
  },
  {
    name: 'run --network none',
    run({ networked: daemon }) {
      assert.equal(
        sh(
          daemon,
          ['--network', 'none'],
          'ls /sys/class/net; ping -c 1 127.0.0.1 >/dev/null && echo up',
        ).replaceAll('\n', ' '),
        'lo up',
      );
    },
  },
  {
    name: 'run --network host',
    run(box) {
      detach(box.networked, 'server', ['--network', 'host'], ...server(18081, 'on-the-host'));
      waitFor('an answer', () => ask(box, 18081) === 'on-the-host');
    },
  },
  {
    name: 'run --network container:NAME',
    run({ networked: daemon }) {
      detach(daemon, 'server', [], ...server(80, 'same'));
      const script = 'until nc 127.0.0.1 80 | grep same; do sleep 0.1; done';
      assert.equal(sh(daemon, ['--network', 'container:server'], script), 'same');
    },
  },
  {
    name: 'run --mac-address and --ip',
    run({ networked: daemon }) {
      daemon.ok(['network', 'create', '--subnet', '10.77.0.0/24', 'fixed']);
      try {
        const options = ['--network', 'fixed', '--ip', '10.77.0.9', '--mac-address', '02:42:00:00:00:77'];
        const text = sh(daemon, options, 'ip address show eth0');
        assert.match(text, /10\.77\.0\.9\/24/);
        assert.match(text, /02:42:00:00:00:77/);
      } finally {
        daemon.attempt(['network', 'rm', 'fixed']);
      }
    },
  },
];
