/*
 * Operations become the bytes of a tape: the inner half of tape-writer.ts, in C.
 *
 * A container takes a few hundred operations with a thousand arguments. Written in JavaScript they are half of all that a
 * command executes. What is written is what ../tape-writer.ts writes, to the byte (tape-checks.ts compares them). What it
 * would refuse is refused here without a word: then that one is asked, and gives the error.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../abi.h"
#include "tape.h"

enum {
  HEADER_WORDS = RTAP_HEADER_SIZE / 4,
  OP_WORDS = RTAP_OP_SIZE / 4,
  /* Operations that there is room for at first: most tapes have fewer. */
  ROOM = 384,
  MAX_ERRNOS = 4,
  REFUSED = -1
};

/* A list of 32-bit numbers that grows. */
struct list {
  uint32_t *items;
  uint32_t count, room;
};

/* A word that waits for the index of a label, or for a descriptor's number. */
struct pending {
  JSValue label; /* undefined for a descriptor, which has a name */
  JSAtom name;
  uint32_t at;
  int in_blobs;
};

/* A constant that was written: where it lies among the blobs. */
struct known {
  JSValue object;
  uint32_t offset;
};

struct tape {
  /* By name: number << 16 | parameters of a system call; number of an errno. The list of the program's cells. */
  JSValue syscalls, errnos, cells;
  /* Header and operations. */
  int32_t *words;
  uint32_t room, count;
  /* Every string once, with its NUL, and a hash table of where they begin, plus 1. */
  char *strings;
  uint32_t strings_size, strings_room;
  uint32_t *slots;
  uint32_t slot_count, string_count;
  /* Structures and bytes, in words. */
  int32_t *blobs;
  uint32_t blob_length, blob_room;
  struct known *known;
  uint32_t known_count, known_room;
  struct pending *pending;
  uint32_t pending_count, pending_room;
  /* Words, of the operations and of the blobs, that refer to a string or to a blob. */
  struct list strings_in_ops, blobs_in_ops, strings_in_blobs, blobs_in_blobs;
};

/* Those of the heap at hand: a program has one. */
static struct tape_names *names;

#define NAME(which) (names->atoms[ATOM_##which])

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* Room for one more of these. */
static int grow(JSContext *ctx, void **items, uint32_t *room, uint32_t needed, size_t size) {
  if (needed <= *room) return 0;
  uint32_t bigger = *room * 2 < needed ? needed : *room * 2;
  if (bigger * size < 512) bigger = 512 / (uint32_t)size;
  char *moved = js_realloc(ctx, *items, bigger * size);
  if (moved == NULL) return REFUSED;
  memset(moved + *room * size, 0, (bigger - *room) * size);
  *items = moved;
  *room = bigger;
  return 0;
}

static int append(JSContext *ctx, struct list *list, uint32_t item) {
  if (grow(ctx, (void **)&list->items, &list->room, list->count + 1, sizeof item)) return REFUSED;
  list->items[list->count++] = item;
  return 0;
}

static void release(JSRuntime *rt, JSValue value) {
  struct tape *tape = JS_GetOpaque(value, names->class);
  if (tape == NULL) return;
  JS_FreeValueRT(rt, tape->syscalls);
  JS_FreeValueRT(rt, tape->errnos);
  JS_FreeValueRT(rt, tape->cells);
  for (uint32_t i = 0; i < tape->known_count; i++) JS_FreeValueRT(rt, tape->known[i].object);
  for (uint32_t i = 0; i < tape->pending_count; i++) {
    JS_FreeValueRT(rt, tape->pending[i].label);
    JS_FreeAtomRT(rt, tape->pending[i].name);
  }
  js_free_rt(rt, tape->words);
  js_free_rt(rt, tape->strings);
  js_free_rt(rt, tape->slots);
  js_free_rt(rt, tape->blobs);
  js_free_rt(rt, tape->known);
  js_free_rt(rt, tape->pending);
  js_free_rt(rt, tape->strings_in_ops.items);
  js_free_rt(rt, tape->blobs_in_ops.items);
  js_free_rt(rt, tape->strings_in_blobs.items);
  js_free_rt(rt, tape->blobs_in_blobs.items);
  js_free_rt(rt, tape);
}

/* ---- values -------------------------------------------------------------------------------------------------- */

/* A number or bigint as 64 bits, signed or not. */
static int integer(JSContext *ctx, JSValueConst value, int64_t *to) {
  int tag = JS_VALUE_GET_NORM_TAG(value);
  if (tag == JS_TAG_INT) {
    *to = JS_VALUE_GET_INT(value);
    return 0;
  }
  if (tag == JS_TAG_FLOAT64) {
    /* An engine may keep a small integer that was computed as one of these. */
    double number = JS_VALUE_GET_FLOAT64(value);
    if (!(fabs(number) < 9007199254740992.0) || (double)(int64_t)number != number) return REFUSED;
    *to = (int64_t)number;
    return 0;
  }
  if (tag != JS_TAG_BIG_INT) return REFUSED;
  const char *digits = JS_ToCString(ctx, value);
  if (digits == NULL) return REFUSED;
  errno = 0;
  *to = digits[0] == '-' ? strtoll(digits, NULL, 10) : (int64_t)strtoull(digits, NULL, 10);
  JS_FreeCString(ctx, digits);
  return errno == 0 ? 0 : REFUSED;
}

/* A property that is an integer. */
static int integer_of(JSContext *ctx, JSValueConst object, JSAtom name, int64_t *to) {
  JSValue value = JS_GetProperty(ctx, object, name);
  int result = integer(ctx, value, to);
  JS_FreeValue(ctx, value);
  return result;
}

static int64_t length_of(JSContext *ctx, JSValueConst array) {
  int64_t length;
  return integer_of(ctx, array, NAME(length), &length) ? REFUSED : length;
}

static void put(int32_t *word, int64_t value) {
  word[0] = (int32_t)value;
  word[1] = (int32_t)(value >> 32);
}

/* ---- constant data ------------------------------------------------------------------------------------------- */

static uint32_t hash_of(const char *text, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)text[i]) * 16777619u;
  return hash ^ hash >> 15;
}

/* The slot of a text: that of the same one, or a free one. */
static uint32_t *slot_of(struct tape *tape, const char *text, size_t length) {
  uint32_t mask = tape->slot_count - 1, i = hash_of(text, length) & mask;
  for (; tape->slots[i] != 0; i = (i + 1) & mask) {
    size_t at = tape->slots[i] - 1;
    if (at + length < tape->strings_size && memcmp(tape->strings + at, text, length) == 0 &&
        tape->strings[at + length] == '\0')
      break;
  }
  return &tape->slots[i];
}

/* Twice as many slots; they have no string yet, or are half full. */
static int more_slots(JSContext *ctx, struct tape *tape) {
  uint32_t *before = tape->slots;
  uint32_t *slots = js_mallocz(ctx, (tape->slot_count ? 2 * tape->slot_count : 256) * sizeof *slots);
  if (slots == NULL) return REFUSED;
  tape->slot_count = tape->slot_count ? 2 * tape->slot_count : 256;
  tape->slots = slots;
  for (uint32_t at = 0; at < tape->strings_size;) {
    size_t length = strlen(tape->strings + at);
    *slot_of(tape, tape->strings + at, length) = at + 1;
    at += (uint32_t)length + 1;
  }
  js_free(ctx, before);
  return 0;
}

/* Offset of a string among the strings. */
static int string(JSContext *ctx, struct tape *tape, JSValueConst value, int32_t *offset) {
  size_t length;
  int result = REFUSED;
  const char *text = JS_ToCStringLen(ctx, &length, value);
  if (text == NULL) return REFUSED;
  no_surrogates((uint8_t *)text, length);
  /* C would take it for a shorter one. */
  if (memchr(text, 0, length) != NULL) goto done;
  if (2 * tape->string_count >= tape->slot_count && more_slots(ctx, tape)) goto done;
  uint32_t *slot = slot_of(tape, text, length);
  if (*slot == 0) {
    uint32_t end = tape->strings_size + (uint32_t)length + 1;
    if (grow(ctx, (void **)&tape->strings, &tape->strings_room, end, 1)) goto done;
    memcpy(tape->strings + tape->strings_size, text, length);
    tape->strings[end - 1] = '\0';
    *slot = tape->strings_size + 1;
    tape->strings_size = end;
    tape->string_count++;
  }
  *offset = (int32_t)*slot - 1;
  result = 0;
done:
  JS_FreeCString(ctx, text);
  return result;
}

/*
 * The offset of bytes of a cell in the executor's memory. `width` is 8 for a word, which must be aligned, and 1 for an
 * address.
 */
static int cell(JSContext *ctx, struct tape *tape, JSValueConst value, int64_t offset, int width, int32_t *to) {
  int64_t index, base, size;
  if (!JS_IsObject(value) || integer_of(ctx, value, NAME(index), &index) || integer_of(ctx, value, NAME(offset), &base))
    return REFUSED;
  JSValue same = JS_GetPropertyUint32(ctx, tape->cells, (uint32_t)index);
  int ours = JS_IsObject(same) && JS_VALUE_GET_PTR(same) == JS_VALUE_GET_PTR(value);
  JS_FreeValue(ctx, same);
  if (!ours) return REFUSED;
  if (offset != 0 && (integer_of(ctx, value, NAME(size), &size) || offset < 0 || offset % width != 0 ||
                      offset + width > ((size + 7) & ~7L)))
    return REFUSED;
  *to = (int32_t)(base + offset);
  return 0;
}

/* {cell, offset} */
static int cell_in(JSContext *ctx, struct tape *tape, JSValueConst reference, int width, int32_t *to) {
  int64_t offset;
  if (integer_of(ctx, reference, NAME(offset), &offset)) return REFUSED;
  JSValue of = JS_GetProperty(ctx, reference, NAME(cell));
  int result = cell(ctx, tape, of, offset, width, to);
  JS_FreeValue(ctx, of);
  return result;
}

static int wait_for(JSContext *ctx, struct tape *tape, uint32_t at, int in_blobs, JSValue label, JSAtom name) {
  if (grow(ctx, (void **)&tape->pending, &tape->pending_room, tape->pending_count + 1, sizeof *tape->pending)) {
    JS_FreeValue(ctx, label);
    JS_FreeAtom(ctx, name);
    return REFUSED;
  }
  tape->pending[tape->pending_count++] = (struct pending){label, name, at, in_blobs};
  return 0;
}

/* {name} of a descriptor */
static int descriptor(JSContext *ctx, struct tape *tape, JSValueConst reference, uint32_t at, int in_blobs) {
  JSValue name = JS_GetProperty(ctx, reference, NAME(name));
  JSAtom atom = JS_ValueToAtom(ctx, name);
  JS_FreeValue(ctx, name);
  return wait_for(ctx, tape, at, in_blobs, JS_UNDEFINED, atom);
}

/* The kind of an argument that is an object. */
static JSAtom kind_of(JSContext *ctx, JSValueConst object) {
  JSValue kind = JS_GetProperty(ctx, object, NAME(kind));
  JSAtom atom = JS_ValueToAtom(ctx, kind);
  JS_FreeValue(ctx, kind);
  /* Compared only, with atoms that stay. */
  JS_FreeAtom(ctx, atom);
  return atom;
}

static int blob(JSContext *ctx, struct tape *tape, JSValueConst object, JSAtom kind, int32_t *offset);

/* A word of a structure. */
static int blob_word(JSContext *ctx, struct tape *tape, JSValueConst value, uint32_t at) {
  int64_t number;
  int32_t offset = 0;
  int tag = JS_VALUE_GET_TAG(value);
  if (tag == JS_TAG_STRING) {
    if (string(ctx, tape, value, &offset) || append(ctx, &tape->strings_in_blobs, at)) return REFUSED;
  } else if (tag == JS_TAG_OBJECT) {
    JSAtom kind = kind_of(ctx, value);
    if (kind == NAME(fd)) return descriptor(ctx, tape, value, at, 1);
    if (kind == NAME(cellAddress)) {
      if (cell_in(ctx, tape, value, 1, &offset)) return REFUSED;
      offset += RTAP_IMAGE_CELLS_BASE;
    } else if (blob(ctx, tape, value, kind, &offset) || append(ctx, &tape->blobs_in_blobs, at)) {
      return REFUSED;
    }
  } else {
    if (integer(ctx, value, &number)) return REFUSED;
    put(tape->blobs + at, number);
    return 0;
  }
  tape->blobs[at] = offset;
  return 0;
}

/* Offset of a constant among the blobs, in bytes. */
static int blob(JSContext *ctx, struct tape *tape, JSValueConst object, JSAtom kind, int32_t *offset) {
  for (uint32_t i = 0; i < tape->known_count; i++) {
    if (JS_VALUE_GET_PTR(tape->known[i].object) != JS_VALUE_GET_PTR(object)) continue;
    *offset = (int32_t)tape->known[i].offset;
    return 0;
  }
  if (grow(ctx, (void **)&tape->known, &tape->known_room, tape->known_count + 1, sizeof *tape->known)) return REFUSED;
  uint32_t at = tape->blob_length;
  tape->known[tape->known_count++] = (struct known){JS_DupValue(ctx, object), at * 4};
  *offset = (int32_t)at * 4;
  int raw = kind == NAME(bytes), result = REFUSED;
  if (!raw && kind != NAME(words)) return REFUSED;
  JSValue content = JS_GetProperty(ctx, object, raw ? NAME(bytes) : NAME(words));
  if (raw) {
    size_t length;
    const uint8_t *from = bytes_of(ctx, content, &length);
    uint32_t words = 2 * (uint32_t)((length + 7) / 8);
    if (from != NULL && !grow(ctx, (void **)&tape->blobs, &tape->blob_room, at + words, 4)) {
      tape->blob_length += words;
      memcpy(tape->blobs + at, from, length);
      result = 0;
    }
  } else {
    int64_t length = length_of(ctx, content);
    if (length >= 0 && !grow(ctx, (void **)&tape->blobs, &tape->blob_room, at + 2 * (uint32_t)length, 4)) {
      tape->blob_length += 2 * (uint32_t)length;
      result = 0;
      for (uint32_t i = 0; i < length && result == 0; i++) {
        JSValue word = JS_GetPropertyUint32(ctx, content, i);
        result = blob_word(ctx, tape, word, at + 2 * i);
        JS_FreeValue(ctx, word);
      }
    }
  }
  JS_FreeValue(ctx, content);
  return result;
}

/* ---- operations ---------------------------------------------------------------------------------------------- */

/* What argument() gives for an immediate that is wide, beside the kinds. */
#define WIDE 4

/* Writes an integer: into the operation, or among the blobs when it needs more than 32 bits. */
static int immediate(JSContext *ctx, struct tape *tape, int64_t number, uint32_t at) {
  tape->words[at] = (int32_t)number;
  if (number == (int32_t)number) return RTAP_ARG_IMMEDIATE;
  uint32_t word = tape->blob_length;
  if (grow(ctx, (void **)&tape->blobs, &tape->blob_room, word + 2, 4) || append(ctx, &tape->blobs_in_ops, at))
    return REFUSED;
  tape->blob_length += 2;
  put(tape->blobs + word, number);
  tape->words[at] = (int32_t)word * 4;
  return WIDE;
}

/* Writes an argument; gives its kind. */
static int argument(JSContext *ctx, struct tape *tape, JSValueConst value, uint32_t at) {
  int64_t number;
  switch (JS_VALUE_GET_NORM_TAG(value)) {
    case JS_TAG_NULL:
      return RTAP_ARG_IMMEDIATE;
    case JS_TAG_STRING:
      if (string(ctx, tape, value, &tape->words[at]) || append(ctx, &tape->strings_in_ops, at)) return REFUSED;
      return RTAP_ARG_DATA;
    case JS_TAG_OBJECT: {
      JSAtom kind = kind_of(ctx, value);
      if (kind == NAME(cellValue)) return cell_in(ctx, tape, value, 8, &tape->words[at]) ? REFUSED : RTAP_ARG_VALUE;
      if (kind == NAME(cellAddress)) return cell_in(ctx, tape, value, 1, &tape->words[at]) ? REFUSED : RTAP_ARG_CELL;
      if (kind == NAME(fd)) return descriptor(ctx, tape, value, at, 0) ? REFUSED : RTAP_ARG_IMMEDIATE;
      if (blob(ctx, tape, value, kind, &tape->words[at]) || append(ctx, &tape->blobs_in_ops, at)) return REFUSED;
      return RTAP_ARG_DATA;
    }
    default:
      return integer(ctx, value, &number) ? REFUSED : immediate(ctx, tape, number, at);
  }
}

static int all_arguments(JSContext *ctx, struct tape *tape, JSValueConst list, int at_most, uint32_t op) {
  int64_t count = length_of(ctx, list);
  int kinds = 0, wide = 0;
  if (count < 0 || count > at_most) return REFUSED;
  for (int i = 0; i < count; i++) {
    JSValue value = JS_GetPropertyUint32(ctx, list, (uint32_t)i);
    int kind = argument(ctx, tape, value, op + RTAP_OP_ARG / 4 + (uint32_t)i);
    JS_FreeValue(ctx, value);
    if (kind == REFUSED) return REFUSED;
    if (kind == WIDE) wide |= 1 << i;
    else kinds |= kind << 2 * i;
  }
  tape->words[op + RTAP_OP_ARG_KINDS / 4] = kinds | wide << 16;
  return 0;
}

/* Makes room for an operation; gives its first word. */
static int begin(JSContext *ctx, struct tape *tape, uint32_t *op) {
  *op = HEADER_WORDS + tape->count * OP_WORDS;
  if (grow(ctx, (void **)&tape->words, &tape->room, *op + OP_WORDS, 4)) return REFUSED;
  tape->count++;
  return 0;
}

/* The label is where the operation may go. */
static int target(JSContext *ctx, struct tape *tape, uint32_t op, JSValueConst label) {
  uint32_t at = op + RTAP_OP_TARGET / 4;
  int64_t index;
  if (!JS_IsObject(label) || integer_of(ctx, label, NAME(index), &index)) return REFUSED;
  if (index < 0) return wait_for(ctx, tape, at, 0, JS_DupValue(ctx, label), JS_ATOM_NULL);
  tape->words[at] = (int32_t)index;
  return 0;
}

/* The errnos that are no failure. */
static int errnos(JSContext *ctx, struct tape *tape, uint32_t op, JSValueConst list) {
  uint16_t *to = (uint16_t *)(tape->words + op + RTAP_OP_ERRNOS / 4);
  if (JS_IsString(list)) {
    JSAtom any = JS_ValueToAtom(ctx, list);
    JS_FreeAtom(ctx, any);
    *to = RTAP_ERRNO_ANY;
    return any == NAME(any) ? 0 : REFUSED;
  }
  int64_t count = length_of(ctx, list);
  if (count < 1 || count > MAX_ERRNOS) return REFUSED;
  for (uint32_t i = 0; i < count; i++) {
    int64_t number;
    JSValue name = JS_GetPropertyUint32(ctx, list, i);
    JSAtom atom = JS_ValueToAtom(ctx, name);
    int unknown = integer_of(ctx, tape->errnos, atom, &number);
    JS_FreeAtom(ctx, atom);
    JS_FreeValue(ctx, name);
    if (unknown) return REFUSED;
    to[i] = (uint16_t)number;
  }
  return 0;
}

static int store(JSContext *ctx, struct tape *tape, uint32_t op, JSValueConst to, int64_t offset) {
  int32_t *word = tape->words + op + RTAP_OP_STORE / 4;
  if (cell(ctx, tape, to, offset, 8, word)) return REFUSED;
  ++*word;
  return 0;
}

static int system_call(JSContext *ctx, struct tape *tape, JSValueConst name, JSValueConst args, JSValueConst options) {
  uint32_t op;
  int64_t syscall;
  JSAtom atom = JS_ValueToAtom(ctx, name);
  int unknown = integer_of(ctx, tape->syscalls, atom, &syscall);
  JS_FreeAtom(ctx, atom);
  if (unknown || syscall < 0 || begin(ctx, tape, &op)) return REFUSED;
  tape->words[op] = (int32_t)(RTAP_KIND_SYSCALL | (syscall & ~0xffff));
  if (JS_IsObject(options)) {
    JSValue to = JS_GetProperty(ctx, options, NAME(store));
    JSValue tolerated = JS_GetProperty(ctx, options, NAME(tolerate));
    JSValue label = JS_GetProperty(ctx, options, NAME(goto));
    int bad = !JS_IsUndefined(to) && store(ctx, tape, op, to, 0);
    if (!JS_IsUndefined(tolerated)) {
      bad |= errnos(ctx, tape, op, tolerated);
      if (JS_IsUndefined(label)) tape->words[op + RTAP_OP_TARGET / 4] = (int32_t)tape->count;
      else bad |= target(ctx, tape, op, label);
    } else if (!JS_IsUndefined(label)) {
      bad = 1;
    }
    JS_FreeValue(ctx, to);
    JS_FreeValue(ctx, tolerated);
    JS_FreeValue(ctx, label);
    if (bad) return REFUSED;
  }
  return all_arguments(ctx, tape, args, syscall & 0xffff, op);
}

/* ---- for JavaScript ------------------------------------------------------------------------------------------ */

/* Whatever went wrong on the way is the other writer's to tell. */
static JSValue verdict(JSContext *ctx, int refused) {
  if (refused) JS_FreeValue(ctx, JS_GetException(ctx));
  return JS_NewBool(ctx, !refused);
}

static struct tape *tape_of(JSContext *ctx, JSValueConst owner) {
  JSValue value = JS_GetProperty(ctx, owner, NAME(tape));
  struct tape *tape = JS_GetOpaque2(ctx, value, names->class);
  /* The owner still holds it. */
  JS_FreeValue(ctx, value);
  return tape;
}

/* create(syscalls, errnos, cells) */
static JSValue js_create(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  JSValue object = JS_NewObjectClass(ctx, (int)names->class);
  if (JS_IsException(object)) return object;
  struct tape *tape = js_mallocz(ctx, sizeof *tape);
  if (tape != NULL) {
    JS_SetOpaque(object, tape);
    tape->syscalls = JS_DupValue(ctx, argv[0]);
    tape->errnos = JS_DupValue(ctx, argv[1]);
    tape->cells = JS_DupValue(ctx, argv[2]);
    if (grow(ctx, (void **)&tape->words, &tape->room, HEADER_WORDS + ROOM * OP_WORDS, 4) == 0) return object;
  }
  JS_FreeValue(ctx, object);
  return JS_EXCEPTION;
}

/* owner.call(name, arguments, options): as of ProgramBuilder */
static JSValue js_call(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  struct tape *tape = tape_of(ctx, self);
  if (tape == NULL) return JS_EXCEPTION;
  if (system_call(ctx, tape, argv[0], argv[1], argc > 2 ? argv[2] : JS_UNDEFINED) == 0) return JS_UNDEFINED;
  JS_FreeValue(ctx, JS_GetException(ctx));
  return JS_Invoke(ctx, self, NAME(refused), argc, argv);
}

/* owner.operation(first word, arguments, store, its offset, label): whether it was written */
static JSValue js_operation(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)argc;
  struct tape *tape = tape_of(ctx, self);
  int64_t first, offset;
  uint32_t op;
  if (tape == NULL) return JS_EXCEPTION;
  if (integer(ctx, argv[0], &first) || integer(ctx, argv[3], &offset) || begin(ctx, tape, &op))
    return verdict(ctx, REFUSED);
  tape->words[op] = (int32_t)first;
  return verdict(ctx, (!JS_IsNull(argv[2]) && store(ctx, tape, op, argv[2], offset)) ||
                        (!JS_IsNull(argv[4]) && target(ctx, tape, op, argv[4])) ||
                        all_arguments(ctx, tape, argv[1], 6, op));
}

/* owner.count(): operations so far */
static JSValue js_count(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)argc, (void)argv;
  struct tape *tape = tape_of(ctx, self);
  return tape == NULL ? JS_EXCEPTION : JS_NewInt32(ctx, (int32_t)tape->count);
}

/* What was open: the labels' indices and the descriptors' numbers. */
static int settle(JSContext *ctx, struct tape *tape, JSValueConst numbers) {
  for (uint32_t i = 0; i < tape->pending_count; i++) {
    struct pending *one = &tape->pending[i];
    int64_t number;
    if (JS_IsUndefined(one->label)) {
      if (integer_of(ctx, numbers, one->name, &number)) return REFUSED;
      if (number != (int32_t)number) return REFUSED;
      if (one->in_blobs) put(tape->blobs + one->at, number);
      else tape->words[one->at] = (int32_t)number;
    } else {
      if (integer_of(ctx, one->label, NAME(index), &number) || number < 0 || number >= tape->count) return REFUSED;
      tape->words[one->at] = (int32_t)number;
    }
  }
  return 0;
}

static void free_image(JSRuntime *rt, void *opaque, void *image) {
  (void)opaque;
  js_free_rt(rt, image);
}

/*
 * link(tape, descriptors, version and machine, size of the cells, descriptor for reports): an ArrayBuffer
 * with the tape, behind the room that the executor takes in an image; null for a program that can't be
 */
static JSValue js_link(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct tape *tape = JS_GetOpaque2(ctx, argv[0], names->class);
  int version, cells_size, report_fd;
  if (tape == NULL || JS_ToInt32(ctx, &version, argv[2]) || JS_ToInt32(ctx, &cells_size, argv[3]) ||
      JS_ToInt32(ctx, &report_fd, argv[4]))
    return JS_EXCEPTION;
  if (settle(ctx, tape, argv[1])) {
    JS_FreeValue(ctx, JS_GetException(ctx));
    return JS_NULL;
  }
  uint32_t strings_at = RTAP_HEADER_SIZE + tape->count * RTAP_OP_SIZE;
  uint32_t blobs_at = strings_at + ((tape->strings_size + 7) & ~7u);
  uint32_t size = blobs_at + tape->blob_length * 4;
  for (uint32_t i = 0; i < tape->strings_in_ops.count; i++)
    tape->words[tape->strings_in_ops.items[i]] += (int32_t)strings_at;
  for (uint32_t i = 0; i < tape->blobs_in_ops.count; i++)
    tape->words[tape->blobs_in_ops.items[i]] += (int32_t)blobs_at;
  for (uint32_t i = 0; i < tape->strings_in_blobs.count; i++)
    tape->blobs[tape->strings_in_blobs.items[i]] += (int32_t)(RTAP_IMAGE_TAPE_BASE + strings_at);
  for (uint32_t i = 0; i < tape->blobs_in_blobs.count; i++)
    tape->blobs[tape->blobs_in_blobs.items[i]] += (int32_t)(RTAP_IMAGE_TAPE_BASE + blobs_at);
  int32_t *header = tape->words;
  header[RTAP_HEADER_MAGIC / 4] = RTAP_MAGIC;
  header[RTAP_HEADER_VERSION / 4] = version;
  header[RTAP_HEADER_OP_COUNT / 4] = (int32_t)tape->count;
  header[RTAP_HEADER_DATA_OFFSET / 4] = (int32_t)strings_at;
  header[RTAP_HEADER_TAPE_SIZE / 4] = (int32_t)size;
  header[RTAP_HEADER_CELLS_SIZE / 4] = cells_size;
  header[RTAP_HEADER_REPORT_FD / 4] = report_fd;
  uint8_t *image = js_mallocz(ctx, RTAP_IMAGE_TAPE_OFFSET + size);
  if (image == NULL) return JS_EXCEPTION;
  uint8_t *to = image + RTAP_IMAGE_TAPE_OFFSET;
  memcpy(to, tape->words, strings_at);
  if (tape->strings_size > 0) memcpy(to + strings_at, tape->strings, tape->strings_size);
  if (tape->blob_length > 0) memcpy(to + blobs_at, tape->blobs, tape->blob_length * 4);
  return JS_NewArrayBuffer(ctx, image, RTAP_IMAGE_TAPE_OFFSET + size, free_image, NULL, 0);
}

static const JSCFunctionListEntry functions[] = {
  JS_CFUNC_DEF("create", 3, js_create),
  JS_CFUNC_DEF("call", 3, js_call),
  JS_CFUNC_DEF("operation", 5, js_operation),
  JS_CFUNC_DEF("count", 0, js_count),
  JS_CFUNC_DEF("link", 5, js_link),
};

void use_tape_names(struct tape_names *in_heap) { names = in_heap; }

void define_tape(JSContext *ctx, JSValueConst host, struct tape_names *in_heap) {
  static const char *const texts[ATOMS] = {
    "store", "tolerate", "goto", "kind", "cell", "offset", "index", "size", "name", "bytes",
    "words", "length", "any", "cellValue", "cellAddress", "fd", "refused", "tape",
  };
  static const JSClassDef class = {"Tape", .finalizer = release};
  use_tape_names(in_heap);
  for (int i = 0; i < ATOMS; i++) names->atoms[i] = JS_NewAtom(ctx, texts[i]);
  JS_NewClassID(&names->class);
  JS_NewClass(JS_GetRuntime(ctx), names->class, &class);
  JSValue object = JS_NewObject(ctx);
  JS_SetPropertyFunctionList(ctx, object, functions, sizeof functions / sizeof *functions);
  JS_SetPropertyStr(ctx, host, "tape", object);
}
