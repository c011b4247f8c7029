/**
 * Buildah: commands in containers that are images yet to be.
 *
 * @module
 */
import { deepEqual, equal, match, notEqual, throws } from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type Case, Skip } from '../engines/engine.ts';
import { IMAGE } from '../engines/image.ts';
import { asBoth, asRoot, asUser } from '../podman/cases/case.ts';
import type { Account, Box } from '../podman/podman.ts';

/** Without a network: what is needed of it is proved with Podman. */
const RUN = ['run', '--network', 'none'];

/** A container to work in; its name. */
function from({ buildah }: Account, ...options: string[]): string {
  return buildah.ok('from', '--pull-never', ...options, IMAGE);
}

/** Builds an image of these lines, and gives what the build printed. */
function build({ buildah, folder }: Account, lines: readonly string[], ...options: string[]): string {
  const context = `${folder}/context`;
  mkdirSync(context, { recursive: true, mode: 0o755 });
  writeFileSync(`${context}/Dockerfile`, [`FROM ${IMAGE}`, ...lines].join('\n'));
  writeFileSync(`${context}/file`, 'of the context\n');
  return buildah.ok('build', '--pull-never', '--network', 'none', '--tag', 'built', ...options, context);
}

/** Runs the built image with Podman. */
const runBuilt = ({ podman }: Account, ...argv: string[]): string =>
  podman.ok('run', '--rm', '--network', 'none', 'localhost/built', ...argv);

const status = (name: string) => ['sh', '-c', `grep ^${name}: /proc/self/status | cut -f2`];

export const cases: readonly Case<Box>[] = [
  ...asBoth(
    'run: output / environment / exit code',
    (account) => {
      const { buildah } = account;
      const { code, stdout, stderr } = buildah.call(
        ...RUN,
        ...['--env', 'X=y', from(account), '--', 'sh', '-c', 'echo $FROM_IMAGE $X; echo problem >&2; exit 7'],
      );
      equal(stdout, 'yes y\n');
      match(stderr, /^problem$/m);
      equal(code, 7);
    },
    {},
  ),
  ...asBoth('run: no such command', (account) => {
    const { code, stderr } = account.buildah.call(...RUN, from(account), '--', 'nothing-of-this-name');
    notEqual(code, 0);
    match(stderr, /nothing-of-this-name/);
  }),
  ...asBoth('run: standard input / a terminal', (account) => {
    const { buildah } = account;
    const container = from(account);
    equal(buildah.feed('one\ntwo\n', ...RUN, container, '--', 'wc', '-l'), '2');
    match(buildah.terminal(...RUN, '--terminal', container, '--', 'tty'), /\/dev\/pts\/\d+$/m);
  }),
  ...asBoth('run --isolation', (account) => {
    const { buildah, rootless } = account;
    const isolation = rootless ? 'rootless' : 'oci';
    equal(buildah.ok(...RUN, '--isolation', isolation, from(account), '--', 'echo', 'yes'), 'yes');
  }),
  ...asBoth('run: what it writes is in the container and its image', (account) => {
    const { buildah } = account;
    const container = from(account);
    buildah.ok(...RUN, container, '--', 'sh', '-c', 'echo kept > /file');
    equal(buildah.ok(...RUN, container, '--', 'cat', '/file'), 'kept');
    buildah.ok('commit', '--quiet', container, 'built');
    equal(runBuilt(account, 'cat', '/file'), 'kept');
  }),
  ...asBoth('config: user / working directory / environment of run', (account) => {
    const { buildah } = account;
    const container = from(account);
    buildah.ok('config', '--user', '1000:2000', '--workingdir', '/tmp', '--env', 'X=y', container);
    const script = 'id -u; id -g; pwd; echo $X';
    deepEqual(buildah.ok(...RUN, container, '--', 'sh', '-c', script).split('\n'), [
      '1000',
      '2000',
      '/tmp',
      'y',
    ]);
    equal(buildah.ok(...RUN, '--user', '5', container, '--', 'id', '-u'), '5');
  }),
  ...asBoth('run --volume / --mount', (account) => {
    const { buildah, folder } = account;
    mkdirSync(`${folder}/data`, { recursive: true });
    writeFileSync(`${folder}/data/in`, 'of the host\n');
    const container = from(account);
    const bind = ['--volume', `${folder}/data:/data:ro`];
    equal(buildah.ok(...RUN, ...bind, container, '--', 'cat', '/data/in'), 'of the host');
    notEqual(buildah.call(...RUN, ...bind, container, '--', 'touch', '/data/out').code, 0);
    const mount = ['--mount', 'type=tmpfs,dst=/small,tmpfs-size=64k'];
    match(buildah.ok(...RUN, ...mount, container, '--', 'df', '-k', '/small'), /\b64\b/);
  }),
  ...asBoth('run --cap-drop / --cap-add', (account) => {
    const { buildah } = account;
    const container = from(account);
    const drop = ['--cap-drop', 'CAP_CHOWN'];
    const bit = (text: string) => BigInt(`0x${text}`) & 1n;
    equal(bit(buildah.ok(...RUN, container, '--', ...status('CapEff'))), 1n);
    equal(bit(buildah.ok(...RUN, ...drop, container, '--', ...status('CapEff'))), 0n);
    const bounding = buildah.ok(...RUN, '--cap-add', 'CAP_NET_ADMIN', container, '--', ...status('CapBnd'));
    equal((BigInt(`0x${bounding}`) >> 12n) & 1n, 1n);
  }),
  ...asBoth('run --hostname / --network host', (account) => {
    const { buildah, run } = account;
    const container = from(account);
    equal(buildah.ok(...RUN, '--hostname', 'named', container, '--', 'hostname'), 'named');
    const link = ['readlink', '/proc/self/ns/net'];
    equal(buildah.ok('run', '--network', 'host', container, '--', ...link), run(...link).stdout.trim());
  }),
  ...asBoth('run: namespaces of its own', (account) => {
    const { buildah, run } = account;
    const container = from(account);
    for (const name of ['pid', 'mnt', 'ipc', 'uts', 'net']) {
      const link = ['readlink', `/proc/self/ns/${name}`];
      notEqual(buildah.ok(...RUN, container, '--', ...link), run(...link).stdout.trim(), name);
    }
  }),
  ...asBoth('run --pid / --ipc host', (account) => {
    const { buildah, run } = account;
    const container = from(account);
    for (const name of ['pid', 'ipc']) {
      const link = ['readlink', `/proc/self/ns/${name}`];
      equal(buildah.ok(...RUN, `--${name}`, 'host', container, '--', ...link), run(...link).stdout.trim());
    }
  }),
  ...asBoth('from --ulimit / --shm-size / --security-opt seccomp', (account) => {
    const { buildah, folder } = account;
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
    };
    writeFileSync(`${folder}/profile.json`, JSON.stringify(profile));
    const options = ['--ulimit', 'nofile=77:88', '--shm-size', '1m'];
    const container = from(account, ...options, '--security-opt', `seccomp=${folder}/profile.json`);
    const script = 'ulimit -n; mkdir /new 2>&1; df -k /dev/shm | tail -n 1';
    match(buildah.ok(...RUN, container, '--', 'sh', '-c', script), /^77\n.*No space left[\s\S]*\b1024\b/);
  }),
  ...asRoot('from --userns-uid-map', (account) => {
    const { buildah } = account;
    const maps = ['--userns-uid-map', '0:300000:1000', '--userns-gid-map', '0:400000:1000'];
    const out = buildah.ok(...RUN, from(account, ...maps), '--', 'cat', '/proc/self/uid_map');
    equal(out.trim().replaceAll(/ +/g, ' '), '0 300000 1000');
  }),
  ...asUser('unshare', (account) => {
    const { buildah } = account;
    equal(buildah.ok('unshare', 'id', '-u'), '0');
    const container = from(account);
    match(buildah.ok('unshare', 'cat', '/proc/self/uid_map'), /^ +0 +\d+ +1\n +1 +\d+ +65536$/);
    equal(buildah.ok(...RUN, container, '--', 'id', '-u'), '0');
  }),
  ...asBoth('build: RUN / ENV / ARG / WORKDIR / USER / COPY', (account) => {
    build(
      account,
      [
        'ARG given',
        'ENV X=y',
        'WORKDIR /work',
        'COPY file /work/',
        'RUN echo $X $given $(pwd) $(cat file) > /tmp/out',
        'USER 1000',
        'RUN id -u >> /tmp/out || id -u > /tmp/own',
        'CMD ["cat", "/tmp/out", "/tmp/own"]',
      ],
      '--build-arg',
      'given=one',
    );
    equal(runBuilt(account), 'y one /work of the context\n1000');
  }),
  ...asBoth('build: a RUN that fails', (account) => {
    throws(() => build(account, ['RUN exit 9']), /exit status 9/);
  }),
  ...asBoth('build: RUN --mount', (account) => {
    writeFileSync(`${account.folder}/secret`, 'hush\n', { mode: 0o644 });
    const out = build(
      account,
      [
        'RUN --mount=type=bind,source=file,target=/bound cat /bound',
        'RUN --mount=type=secret,id=one cat /run/secrets/one',
        'RUN --mount=type=tmpfs,target=/tmp touch /tmp/x && ls /tmp',
        'RUN --mount=type=cache,target=/cache echo cached > /cache/x',
        'RUN --mount=type=cache,target=/cache cat /cache/x',
      ],
      '--secret',
      `id=one,src=${account.folder}/secret`,
    );
    for (const line of ['of the context', 'hush', 'x', 'cached']) match(out, new RegExp(`^${line}$`, 'm'));
  }),
  ...asBoth('build: two stages / the cache of layers', (account) => {
    const lines = ['RUN echo $RANDOM$RANDOM > /made', `FROM ${IMAGE}`, 'COPY --from=0 /made /copied'];
    build(account, lines, '--layers');
    const first = runBuilt(account, 'cat', '/copied');
    build(account, lines, '--layers');
    equal(runBuilt(account, 'cat', '/copied'), first);
  }),
  ...asBoth('build with options of the container', (account) => {
    const options = [
      '--network',
      'host',
      '--add-host',
      'other:10.1.2.3',
      '--cap-drop',
      'all',
      '--volume',
      `${account.folder}:/here:ro`,
    ];
    const out = build(
      account,
      ['RUN grep other /etc/hosts', `RUN ${status('CapEff')[2]}`, 'RUN ls /here'],
      ...options,
    );
    match(out, /^10\.1\.2\.3\s+other/m);
    match(out, /^0000000000000000$/m);
    match(out, /^context$/m);
  }),
  ...asBoth('podman build', (account) => {
    build(account, ['RUN echo by buildah > /made']);
    const { podman, folder } = account;
    podman.ok('build', '--network', 'none', '--tag', 'again', '--no-cache', `${folder}/context`);
    equal(podman.ok('run', '--rm', '--network', 'none', 'again', 'cat', '/made'), 'by buildah');
    podman.ok('rmi', '--force', 'again');
  }),
  ...asBoth('run leaves nothing', (account) => {
    const { buildah, runtime, run } = account;
    buildah.ok(...RUN, from(account), '--', 'true');
    const program = runtime === 'runts' ? '/opt/runts/runts' : runtime;
    equal(run(program, 'list', '-q').stdout, '');
  }),
  ...asRoot(
    'build --memory / --cpu-quota',
    (account) => {
      const limits = [
        '--memory',
        '64m',
        '--memory-swap',
        '96m',
        '--cpu-period',
        '100000',
        '--cpu-quota',
        '50000',
      ];
      const out = build(
        account,
        ['RUN cd /sys/fs/cgroup && cat memory.max memory.swap.max cpu.max'],
        ...limits,
      );
      match(out, /^67108864\n33554432\n50000 100000$/m);
    },
    { vm: true },
  ),
  ...asUser(
    'build --memory',
    () => {
      throw new Skip('Buildah takes an ordinary user’s limits out of the config before a runtime sees it.');
    },
    { vm: true },
  ),
];
