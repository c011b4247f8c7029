/**
 * Id-mapped mounts: `mounts[].uidMappings` and `gidMappings`, the options `idmap` and `ridmap`.
 *
 * A mount takes its mapping from a user namespace (mount_setattr(2), MOUNT_ATTR_IDMAP). For a mapping that is given, or
 * that of a namespace that is still to be made, the parent makes one with that mapping and nobody in it.
 *
 * runtime-spec config.md, "Linux mount options"; `idmap=uids=0-1000-10;gids=0-1000-10` is crun's, crun(1).
 *
 * @module
 */

import { AT, MOUNT_ATTR, O } from '../../ffi/constants/index.ts';
import { addressOf, type Cell, handed, valueIn, words } from '../../ffi/program.ts';
import { RuntsError } from '../errors.ts';
import type { LinuxIDMapping, Mount, Spec } from '../spec/types.ts';
import { MOUNT_ATTR_SIZE, requireMountSetattr } from './mount-attributes.ts';
import type { MountOptions } from './mount-options.ts';
import type { HostStep, PlanContext } from './types.ts';

/** Of users and of groups. */
export interface Mappings {
  uid: readonly LinuxIDMapping[];
  gid: readonly LinuxIDMapping[];
}

/** The user namespaces that a container's mounts take their mappings from. */
export class MountMappings {
  private readonly ctx: PlanContext;
  private readonly spec: Spec;
  /** Names of descriptors by mapping. */
  private readonly names = new Map<string, string>();
  /** The namespace that the container joins, when a mount needs it. */
  private joined: Cell | undefined;
  /** What the parent does before init is there. */
  readonly steps: HostStep[] = [];

  constructor(ctx: PlanContext, spec: Spec) {
    this.ctx = ctx;
    this.spec = spec;
  }

  /** The descriptors that the parent hands over. */
  get descriptors(): string[] {
    return [...this.names.values()];
  }

  /** Opens the user namespace that the container joins, while its path means what the config's author meant. */
  planOpen(mounts: readonly { mount: Mount; options: MountOptions }[]): void {
    const index = (this.spec.linux?.namespaces ?? []).findIndex((n) => n.type === 'user' && n.path);
    if (index < 0) return;
    if (!mounts.some(({ mount, options }) => isMapped(mount, options) && !hasOwn(mount, options))) return;
    const { program } = this.ctx;
    this.joined = program.cell('mappingNamespace');
    const path = this.spec.linux?.namespaces?.[index]?.path ?? '';
    program.call('openat', [AT.FDCWD, path, O.RDONLY | O.NONBLOCK | O.CLOEXEC], {
      store: this.joined,
      field: `linux.namespaces[${index}].path`,
    });
  }

  /** Maps the ids of a detached tree. */
  planMap(tree: Cell, mount: Mount, options: MountOptions, field: string): void {
    if (!isMapped(mount, options)) return;
    const { program } = this.ctx;
    requireMountSetattr(this.ctx, field, 'an id-mapped mount');
    const flags = AT.EMPTY_PATH | (options.idmap === 'tree' ? AT.RECURSIVE : 0);
    const attributes = this.attributes(mount, options, field);
    program.call('mount_setattr', [valueIn(tree), '', flags, attributes, MOUNT_ATTR_SIZE], {
      field: `${field}.uidMappings`,
    });
  }

  /** struct mount_attr with the namespace's descriptor. */
  private attributes(mount: Mount, options: MountOptions, field: string) {
    const { program } = this.ctx;
    if (this.joined !== undefined && !hasOwn(mount, options)) {
      const attributes = program.cell('mappingAttributes', MOUNT_ATTR_SIZE);
      program.set(attributes, MOUNT_ATTR.IDMAP);
      program.set(attributes, valueIn(this.joined), '', 0, 24);
      return addressOf(attributes);
    }
    const name = this.namespaceFor(this.mappingsOf(mount, options, field), field);
    return words('mount_attr', [MOUNT_ATTR.IDMAP, 0, 0, handed(name)]);
  }

  private mappingsOf(mount: Mount, options: MountOptions, field: string): Mappings {
    const { uidMappings = [], gidMappings = [] } = this.spec.linux ?? {};
    if (mount.uidMappings?.length && mount.gidMappings?.length)
      return { uid: mount.uidMappings, gid: mount.gidMappings };
    const container = { uid: uidMappings, gid: gidMappings };
    if (options.idmapText !== '') return parseMappings(options.idmapText, container, `${field}.options`);
    if (uidMappings.length > 0 && gidMappings.length > 0) return container;
    throw new RuntsError(
      'E_CONFIG_INVALID',
      `${field}.options: idmap without mappings, and the container has no user namespace to take them from`,
      { field: `${field}.options`, hint: `give ${field}.uidMappings and gidMappings` },
    );
  }

  private namespaceFor(mappings: Mappings, field: string): string {
    const key = JSON.stringify(mappings);
    const known = this.names.get(key);
    if (known !== undefined) return known;
    const name = `idmap${this.names.size}`;
    this.names.set(key, name);
    this.steps.push({ step: 'userNamespace', name, field, ...mappings });
    return name;
  }
}

/** True when the ids of the mount are to be mapped. */
export function isMapped(mount: Mount, options: MountOptions): boolean {
  return options.idmap !== 'no' || hasOwn(mount, options);
}

function hasOwn(mount: Mount, options: MountOptions): boolean {
  return Boolean(mount.uidMappings?.length || mount.gidMappings?.length) || options.idmapText !== '';
}

/** Ids end below (uid_t) -1. */
const LAST_ID = 0xffffffff;

/**
 * Parses crun's `uids=0-1000-10#10-2000-5;gids=…`: id in the file system, id on the host, count. With an `@` the second
 * is an id of the container.
 *
 * @throws RuntsError E_CONFIG_INVALID
 */
export function parseMappings(text: string, container: Mappings, field: string): Mappings {
  const result: { uid?: LinuxIDMapping[]; gid?: LinuxIDMapping[] } = {};
  const bad = (what: string): RuntsError =>
    new RuntsError('E_CONFIG_INVALID', `${field}: idmap=${text}: ${what}`, {
      field,
      hint: 'for example idmap=uids=0-1000-1;gids=0-1000-1',
    });
  for (const part of text.split(';')) {
    const equals = part.indexOf('=');
    const key = { uids: 'uid', gids: 'gid' }[part.slice(0, equals)] as 'uid' | 'gid' | undefined;
    if (key === undefined || result[key] !== undefined)
      throw bad(`${JSON.stringify(part)} is neither uids= nor gids=`);
    result[key] = part
      .slice(equals + 1)
      .split('#')
      .map((range) => parseRange(range, container[key], bad));
  }
  if (result.uid === undefined || result.gid === undefined) throw bad('both uids= and gids= are needed');
  return { uid: result.uid, gid: result.gid };
}

function parseRange(
  range: string,
  container: readonly LinuxIDMapping[],
  bad: (what: string) => RuntsError,
): LinuxIDMapping {
  const match = /^(@?)(\d{1,10})-(@?)(\d{1,10})-(\d{1,10})$/.exec(range);
  if (match === null) throw bad(`${JSON.stringify(range)} is no ID-ID-COUNT`);
  const [, before, from, after, to, count] = match;
  const mapping = { containerID: Number(from), hostID: Number(to), size: Number(count) };
  if (mapping.size === 0 || Math.max(mapping.containerID, mapping.hostID) + mapping.size > LAST_ID)
    throw bad(`${JSON.stringify(range)} is out of range`);
  if (before === '' && after === '') return mapping;
  const { hostID, size } = mapping;
  const outer = container.find((m) => m.containerID <= hostID && hostID + size <= m.containerID + m.size);
  if (outer === undefined) throw bad(`${JSON.stringify(range)} is not within one of linux.uidMappings`);
  return { ...mapping, hostID: outer.hostID + hostID - outer.containerID };
}

/** What an id of the container is on the host; undefined when it isn't mapped. */
export function hostId(id: number, mappings: readonly LinuxIDMapping[]): number | undefined {
  const mapping = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return mapping && mapping.hostID + (id - mapping.containerID);
}
