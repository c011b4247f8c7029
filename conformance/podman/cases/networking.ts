/**
 * Networks and pods.
 *
 * @module
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { Case } from '../../engines/engine.ts';
import type { Account, Box } from '../podman.ts';
import { ANYWHERE, asBoth, asRoot } from './case.ts';

/** Answers every connection to port 80. */
const SERVER = ['sh', '-c', 'echo hello > /tmp/page; while :; do nc -l -p 80 -e cat /tmp/page; done'];

/** What a port of this machine says. */
function ask({ run, until }: Account, port: number): string {
  const script = `const s = require('node:net').connect(${port}, '127.0.0.1');
    s.on('error', () => {}).on('data', (data) => process.stdout.write(data));`;
  return until(`port ${port}`, () => run(process.execPath, '-e', script).stdout, /./);
}

export const networking: readonly Case<Box>[] = [
  ...asBoth('run --network none / host', ({ podman, run }) => {
    const links = podman.ok('run', '--rm', '--network', 'none', 'box', 'ls', '/sys/class/net');
    equal(links, 'lo');
    const name = ['readlink', '/proc/self/ns/net'];
    equal(podman.ok('run', '--rm', '--network', 'host', 'box', ...name), run(...name).stdout.trim());
  }),
  ...asBoth('run -p: a port is reached', (account) => {
    account.podman.ok('run', '-d', '--name', 'one', '-p', '8123:80', 'box', ...SERVER);
    equal(ask(account, 8123), 'hello\n');
  }),
  ...asRoot('network create: containers on one bridge', ({ podman, until }) => {
    podman.ok('network', 'create', 'net');
    try {
      podman.ok('run', '-d', '--name', 'one', '--network', 'net', 'box', ...SERVER);
      const format = '{{.NetworkSettings.Networks.net.IPAddress}}';
      const address = podman.ok('inspect', '--format', format, 'one');
      const page = () => podman.call('run', '--rm', '--network', 'net', 'box', 'nc', address, '80').stdout;
      until('the page', page, 'hello\n');
    } finally {
      podman.call('rm', '--all', '--force', '--time', '0');
      podman.call('network', 'rm', '--force', 'net');
    }
  }),
  ...asBoth('run --add-host / --dns', ({ podman }) => {
    const script = 'grep other /etc/hosts; cat /etc/resolv.conf';
    const options = ['--add-host', 'other:10.1.2.3', '--dns', '10.4.5.6'];
    const out = podman.ok('run', '--rm', ...options, 'box', 'sh', '-c', script);
    match(out, /10\.1\.2\.3\s+other/);
    match(out, /nameserver 10\.4\.5\.6/);
  }),
  ...asBoth('pod: containers share a network and a host name', (account) => {
    const { podman } = account;
    podman.ok('pod', 'create', '--name', 'both', '-p', '8124:80');
    podman.ok('run', '-d', '--pod', 'both', '--name', 'one', 'box', ...SERVER);
    equal(podman.ok('run', '--rm', '--pod', 'both', 'box', 'hostname'), 'both');
    equal(ask(account, 8124), 'hello\n');
    const names = ['sh', '-c', 'for i in net ipc uts; do readlink /proc/self/ns/$i; done'];
    equal(podman.ok('run', '--rm', '--pod', 'both', 'box', ...names), podman.ok('exec', 'one', ...names));
  }),
  ...asBoth(
    'pod: stop / start / rm',
    ({ podman }) => {
      podman.ok('pod', 'create', '--name', 'both', '--network', 'none');
      podman.ok('run', '-d', '--pod', 'both', '--name', 'one', 'box', 'sleep', '1000');
      const state = () => podman.ok('pod', 'inspect', '--format', '{{.State}}', 'both');
      equal(state(), 'Running');
      podman.ok('pod', 'stop', '--time', '0', 'both');
      equal(state(), 'Exited');
      podman.ok('pod', 'start', 'both');
      equal(state(), 'Running');
      podman.ok('pod', 'rm', '--force', '--time', '0', 'both');
      deepEqual([podman.ok('pod', 'ps', '-q'), podman.ok('ps', '-aq')], ['', '']);
    },
    ANYWHERE,
  ),
  ...asBoth(
    'pod --share pid / --infra=false',
    ({ podman }) => {
      podman.ok('pod', 'create', '--name', 'both', '--share', 'pid,net', '--network', 'none');
      podman.ok('run', '-d', '--pod', 'both', '--name', 'one', 'box', 'sleep', '1234');
      match(podman.ok('run', '--rm', '--pod', 'both', 'box', 'ps', '-o', 'args'), /^sleep 1234$/m);
      podman.ok('pod', 'create', '--name', 'bare', '--infra=false');
      equal(podman.ok('run', '--rm', '--pod', 'bare', '--network', 'none', 'box', 'echo', 'bare'), 'bare');
    },
    ANYWHERE,
  ),
  ...asBoth('play kube', ({ podman, folder, until }) => {
    const container = (name: string, command: string[]) => ({
      name,
      image: 'box',
      imagePullPolicy: 'Never',
      command,
      volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
      securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    });
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'two' },
      spec: {
        hostNetwork: true,
        restartPolicy: 'Never',
        containers: [
          container('writer', ['sh', '-c', 'echo written > /shared/file; sleep 1000']),
          container('reader', [
            'sh',
            '-c',
            'until test -s /shared/file; do sleep 0.1; done; cat /shared/file',
          ]),
        ],
        volumes: [{ name: 'shared', hostPath: { path: `${folder}/shared`, type: 'DirectoryOrCreate' } }],
      },
    };
    writeFileSync(`${folder}/pod.json`, JSON.stringify(pod));
    podman.ok('play', 'kube', `${folder}/pod.json`);
    until('what the other wrote', () => podman.ok('logs', 'two-reader'), 'written');
    podman.ok('play', 'kube', '--down', `${folder}/pod.json`);
  }),
];
