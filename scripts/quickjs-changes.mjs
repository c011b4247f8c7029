// @ts-check
/**
 * Changes of QuickJS's sources for a program whose heap is part of it and whose commands live for milliseconds. Each must
 * be found exactly once.
 *
 * @module
 */

/** @typedef {{ from: string, to: string }} Change */

/**
 * Short ways for what a planner does most: a command makes some 3,000 objects and arrays, of a few properties each.
 *
 * @type {readonly Change[]}
 */
const FAST_PATHS = [
  // An object literal's field that the new, plain object doesn't have yet: without the detour by the general definition.
  {
    from: `                ret = JS_DefinePropertyValue(ctx, sp[-2], atom, sp[-1],
                                             JS_PROP_C_W_E | JS_PROP_THROW);
                sp--;
                if (unlikely(ret < 0))
                    goto exception;
            }
            BREAK;

        CASE(OP_set_name):`,
    to: `                JSObject *literal = JS_VALUE_GET_OBJ(sp[-2]);
                JSProperty *slot;
                if (literal->class_id == JS_CLASS_OBJECT && literal->extensible &&
                    !find_own_property(&slot, literal, atom) &&
                    (slot = add_property(ctx, literal, atom, JS_PROP_C_W_E)) != NULL) {
                    slot->u.value = sp[-1];
                    sp--;
                    BREAK;
                }
                ret = JS_DefinePropertyValue(ctx, sp[-2], atom, sp[-1],
                                             JS_PROP_C_W_E | JS_PROP_THROW);
                sp--;
                if (unlikely(ret < 0))
                    goto exception;
            }
            BREAK;

        CASE(OP_set_name):`,
  },
  // Likewise the next element of an array, and a new property of a function or of what JSON.parse makes.
  {
    from: `                           JSAtom prop, JSValue val, int flags)
{
    int ret;
    ret = JS_DefineProperty(ctx, this_obj, prop, val, JS_UNDEFINED, JS_UNDEFINED,`,
    to: `                           JSAtom prop, JSValue val, int flags)
{
    int ret;
    if (likely(JS_VALUE_GET_TAG(this_obj) == JS_TAG_OBJECT)) {
        JSObject *target = JS_VALUE_GET_OBJ(this_obj);
        JSProperty *slot;
        if (__JS_AtomIsTaggedInt(prop)) {
            if (target->class_id == JS_CLASS_ARRAY && target->fast_array && target->extensible &&
                (flags & JS_PROP_C_W_E) == JS_PROP_C_W_E && __JS_AtomToUInt32(prop) == target->u.array.count)
                return add_fast_array_element(ctx, target, val, flags);
        } else if (!target->is_exotic && target->extensible && !find_own_property(&slot, target, prop) &&
                   (slot = add_property(ctx, target, prop, flags & JS_PROP_C_W_E)) != NULL) {
            slot->u.value = val;
            return TRUE;
        }
    }
    ret = JS_DefineProperty(ctx, this_obj, prop, val, JS_UNDEFINED, JS_UNDEFINED,`,
  },
  // The shape of an object stays when the object goes: the next one like it finds it, and makes none.
  {
    from: `    if (add_shape_property(ctx, &p->shape, p, prop, prop_flags))
        return NULL;
    return &p->prop[p->shape->prop_count - 1];`,
    to: `    if (add_shape_property(ctx, &p->shape, p, prop, prop_flags))
        return NULL;
    if (js_const_atoms != JS_ATOM_END && p->shape->is_hashed && p->shape->prop_count <= 12)
        p->shape->header.ref_count++;
    return &p->prop[p->shape->prop_count - 1];`,
  },
];

/**
 * What is in the program's heap is never freed, so nobody counts who refers to it. Counting would write to half of the
 * pages of the heap, and each page that is written to is copied, which takes as long as 5,000 instructions.
 *
 * @type {readonly Change[]}
 */
const FROZEN = [
  // Names: those of the heap are like QuickJS's own, which are never counted.
  {
    from: `static inline BOOL __JS_AtomIsConst(JSAtom v)
{
#if`,
    to: `static int js_const_atoms = JS_ATOM_END;

static inline BOOL __JS_AtomIsConst(JSAtom v)
{
#if`,
  },
  {
    from: `        return (int32_t)v < JS_ATOM_END;
#endif
}`,
    to: `        return (int32_t)v < js_const_atoms;
#endif
}`,
  },
  {
    from: `            if (__JS_AtomIsConst(i))
                str->header.ref_count--;`,
    to: `            if (__JS_AtomIsConst(i) && str->header.ref_count < JS_FROZEN)
                str->header.ref_count--;`,
  },
  // Shapes
  {
    from: `static JSShape *js_dup_shape(JSShape *sh)
{
    sh->header.ref_count++;`,
    to: `static JSShape *js_dup_shape(JSShape *sh)
{
    if (sh->header.ref_count < JS_FROZEN)
        sh->header.ref_count++;`,
  },
  {
    from: `    if (unlikely(--sh->header.ref_count <= 0)) {
        js_free_shape0(rt, sh);`,
    to: `    if (sh->header.ref_count < JS_FROZEN && unlikely(--sh->header.ref_count <= 0)) {
        js_free_shape0(rt, sh);`,
  },
  // Variables that closures share
  {
    from: `                var_ref = cur_var_refs[cv->var_idx];
                var_ref->header.ref_count++;
            }
            var_refs[i] = var_ref;
        }
    }
    return func_obj;`,
    to: `                var_ref = cur_var_refs[cv->var_idx];
                if (var_ref->header.ref_count < JS_FROZEN)
                    var_ref->header.ref_count++;
            }
            var_refs[i] = var_ref;
        }
    }
    return func_obj;`,
  },
  {
    from: `        if (--var_ref->header.ref_count == 0) {`,
    to: `        if (var_ref->header.ref_count < JS_FROZEN && --var_ref->header.ref_count == 0) {`,
  },
  {
    from: `static void mark_children(JSRuntime *rt, JSGCObjectHeader *gp,
                          JS_MarkFunc *mark_func)
{`,
    to: `/* Names that there is room for before the table must be made anew. */
#define JS_NEW_ATOMS 1000

static int JS_AutoInitProperty(JSContext *ctx, JSObject *p, JSAtom prop,
                               JSProperty *pr, JSShapeProperty *prs);

static void freeze_value(JSValue value)
{
    if (JS_VALUE_HAS_REF_COUNT(value))
        ((JSRefCountHeader *)JS_VALUE_GET_PTR(value))->ref_count = JS_FROZEN;
}

void JS_CompleteObjects(JSContext *ctx)
{
    struct list_head *el;
    /* What this makes comes to the end of the list. */
    list_for_each(el, &ctx->rt->gc_obj_list) {
        JSObject *object = (JSObject *)list_entry(el, JSGCObjectHeader, link);
        if (object->header.gc_obj_type != JS_GC_OBJ_TYPE_JS_OBJECT)
            continue;
        for (int i = 0; i < object->shape->prop_count; i++) {
            JSShapeProperty *property = &get_shape_prop(object->shape)[i];
            if (property->atom != JS_ATOM_NULL && (property->flags & JS_PROP_TMASK) == JS_PROP_AUTOINIT)
                JS_AutoInitProperty(ctx, object, property->atom, &object->prop[i], property);
        }
    }
}

int JS_FreezeRuntime(JSRuntime *rt)
{
    struct list_head *el;
    int end = rt->atom_size;
    while (end > 0 && atom_is_free(rt->atom_array[end - 1]))
        end--;
    for (int i = 0; i < end; i++)
        if (!atom_is_free(rt->atom_array[i]))
            rt->atom_array[i]->header.ref_count = JS_FROZEN;
    /* New names come behind the frozen ones, which are known by their numbers. */
    int size = end + JS_NEW_ATOMS;
    JSAtomStruct **array = js_realloc_rt(rt, rt->atom_array, sizeof(*array) * size);
    if (array == NULL)
        abort();
    for (int i = end; i < size; i++)
        array[i] = atom_set_free(i + 1 < size ? i + 1 : 0);
    rt->atom_array = array;
    rt->atom_size = size;
    rt->atom_free_index = end;
    list_for_each(el, &rt->gc_obj_list) {
        JSGCObjectHeader *header = list_entry(el, JSGCObjectHeader, link);
        if (header->gc_obj_type == JS_GC_OBJ_TYPE_SHAPE) {
            /* A shape that is not shared is changed in place, and must count as one. */
            if (((JSShape *)header)->is_hashed)
                header->ref_count = JS_FROZEN;
            continue;
        }
        header->ref_count = JS_FROZEN;
        if (header->gc_obj_type == JS_GC_OBJ_TYPE_JS_OBJECT) {
            JSObject *object = (JSObject *)header;
            JSShapeProperty *property = get_shape_prop(object->shape);
            for (int i = 0; i < object->shape->prop_count; i++)
                if (property[i].atom != JS_ATOM_NULL && !(property[i].flags & JS_PROP_TMASK))
                    freeze_value(object->prop[i].u.value);
            if (object->class_id == JS_CLASS_ARRAY && object->fast_array)
                for (int i = 0; i < object->u.array.count; i++)
                    freeze_value(object->u.array.u.values[i]);
        } else if (header->gc_obj_type == JS_GC_OBJ_TYPE_FUNCTION_BYTECODE) {
            JSFunctionBytecode *bytecode = (JSFunctionBytecode *)header;
            for (int i = 0; i < bytecode->cpool_count; i++)
                freeze_value(bytecode->cpool[i]);
        } else if (header->gc_obj_type == JS_GC_OBJ_TYPE_VAR_REF) {
            freeze_value(((JSVarRef *)header)->value);
        }
    }
    return end;
}

void JS_UseFrozenRuntime(int atoms)
{
    js_const_atoms = atoms;
}

static void mark_children(JSRuntime *rt, JSGCObjectHeader *gp,
                          JS_MarkFunc *mark_func)
{`,
  },
];

const COUNT = `        JSRefCountHeader *p = (JSRefCountHeader *)JS_VALUE_GET_PTR(v);
        p->ref_count++;`;
const COUNT_UNLESS_FROZEN = `        JSRefCountHeader *p = (JSRefCountHeader *)JS_VALUE_GET_PTR(v);
        if (p->ref_count < JS_FROZEN)
            p->ref_count++;`;

/** Likewise for values. @type {readonly Change[]} */
const FROZEN_VALUES = [
  {
    from: `void __JS_FreeValue(JSContext *ctx, JSValue v);
static inline`,
    to: `/* The count of references of what is never freed. */
#define JS_FROZEN (1 << 30)
/* Makes the properties that are only made when they are first asked for. */
void JS_CompleteObjects(JSContext *ctx);
/* Everything that there is now is never freed. Gives the number of names. */
int JS_FreezeRuntime(JSRuntime *rt);
/* To be called first in a process that has a frozen runtime, with that number of names, in its memory. */
void JS_UseFrozenRuntime(int atoms);

void __JS_FreeValue(JSContext *ctx, JSValue v);
static inline`,
  },
  ...['', 'RT'].map((suffix) => ({
    from: `        if (--p->ref_count <= 0) {
            __JS_FreeValue${suffix}(`,
    to: `        if (p->ref_count < JS_FROZEN && --p->ref_count <= 0) {
            __JS_FreeValue${suffix}(`,
  })),
  ...['JSValue JS_DupValue(JSContext *ctx', 'JSValue JS_DupValueRT(JSRuntime *rt'].map((start) => ({
    from: `${start}, JSValueConst v)
{
    if (JS_VALUE_HAS_REF_COUNT(v)) {
${COUNT}`,
    to: `${start}, JSValueConst v)
{
    if (JS_VALUE_HAS_REF_COUNT(v)) {
${COUNT_UNLESS_FROZEN}`,
  })),
];

/** By file. @type {Readonly<Record<string, readonly Change[]>>} */
export const QUICKJS_CHANGES = {
  'quickjs.h': FROZEN_VALUES,
  'quickjs.c': [...FAST_PATHS, ...FROZEN],
};
