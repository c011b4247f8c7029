/**
 * Types of runtime-spec 1.3.0, named as in its Go bindings. They are generated from schemas/*.schema.json.
 *
 * @module
 */
export type * from '../../schemas/generated/config.d.ts';
export type * from '../../schemas/generated/features.d.ts';
export type * from '../../schemas/generated/state.d.ts';
