/*
 * The program `runts`: QuickJS, the way from JavaScript to C, and a heap that was filled when the program was built.
 *
 * A command lives for some milliseconds, and most of what a JavaScript engine does in them is the same every time:
 * reading the program, making its functions, filling its tables. So the build lets the engine do this once, and the memory
 * that comes of it becomes a section of the executable, which the kernel maps copy-on-write at the address that it was
 * made at. A start touches the pages that it needs.
 *
 *   build:  engine --heap-of PROGRAM.js OUT   runs the program's top level and writes the heap
 *   later:  engine ARGUMENTS...               goes on from there
 *
 * The heap has pointers to this program's code: it belongs to the engine that made it, linked again with the heap in it,
 * which is why both are linked to fixed addresses (scripts/build-program.mjs).
 *
 * See quickjs.h for the engine's interface, main.ts and prelude.ts for what stands on this.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "quickjs.h"
#include "tape.h"

/* ---- the heap ------------------------------------------------------------------------------------------------ */

/*
 * Below the program's code, so that the heap of the C library, which follows the code, is not in the way; and both below
 * 2 GB, which code for a fixed address can reach. build-program.mjs has the same numbers for the linker.
 */
#define HEAP ((struct heap *)0x10000000)
#define HEAP_MOST (1UL << 30)
/* A multiple of every size of pages that Linux has on x86-64 and aarch64. */
#define HEAP_STEP (256UL << 10)
#define HEAP_MAGIC 0x70616548
/* Blocks: 8, 24, 40, ... EXACT bytes, then eight sizes to each power of two. */
#define EXACT 1032
#define BINS (EXACT / 16 + 1 + 8 * 32)

#define BLOCK_HEADER 8

struct block {
  size_t size;         /* of what follows */
  struct block *next;  /* in a bin, while it is free; else the user's */
};

struct heap {
  uint32_t magic;
  const void *code[3]; /* of the engine that made it */
  char *top;    /* where unused memory begins */
  char *end;    /* where the mapped memory ends */
  JSRuntime *runtime;
  JSContext *context;
  JSValue start;   /* the program's function to be called */
  JSValue failure; /* its function for what nothing caught */
  struct tape_names tape;
  int frozen_names;
  struct block *bins[BINS];
};

static size_t bin_of(size_t size, size_t *rounded) {
  if (size <= EXACT) {
    *rounded = (size + 7) / 16 * 16 + 8; /* header and block together keep 16 bytes' alignment */
    return *rounded / 16;
  }
  size_t all = size + BLOCK_HEADER;
  int shift = 63 - __builtin_clzl(all - 1) - 3;
  size_t steps = ((all - 1) >> shift) + 1; /* 9..16 */
  *rounded = (steps << shift) - BLOCK_HEADER;
  return EXACT / 16 + 1 + (size_t)(shift - 7) * 8 + (steps - 9);
}

/* While the image of the heap is made, which is one piece. A process takes memory where it gets it, at best behind that. */
static int making;
static size_t grown;

static void *heap_take(size_t size) {
  struct heap *heap = HEAP;
  char *from = heap->top;
  if ((size_t)(heap->end - from) < size) {
    size_t more = (size + BLOCK_HEADER + HEAP_STEP - 1) / HEAP_STEP * HEAP_STEP;
    if (more > HEAP_MOST - grown) return NULL;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | (making ? MAP_FIXED : 0);
    char *memory = mmap(heap->end, more, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    if (memory != heap->end) from = memory + BLOCK_HEADER;
    heap->end = memory + more;
    grown += more;
  }
  heap->top = from + size;
  return from;
}

/*
 * Behind the heap of the executable comes new memory, and all at once: what is left of the last page of the file's part
 * would be copied page by page.
 */
static void heap_continue(void) {
  struct heap *heap = HEAP;
  size_t page = getauxval(AT_PAGESZ);
  char *from = (char *)(((uintptr_t)heap->top + page - 1) / page * page);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE;
  /* Not shorter than what the file has behind it: below `end` everything is the heap's. */
  if (mmap(from, HEAP_STEP, PROT_READ | PROT_WRITE, flags, -1, 0) == from) heap->end = from + HEAP_STEP;
}

static void *heap_malloc(JSMallocState *state, size_t size) {
  size_t rounded, bin = bin_of(size, &rounded);
  struct block *block = HEAP->bins[bin];
  if (block != NULL) {
    HEAP->bins[bin] = block->next;
  } else {
    block = heap_take(BLOCK_HEADER + rounded);
    if (block == NULL) return NULL;
    block->size = rounded;
  }
  state->malloc_count++;
  state->malloc_size += rounded + BLOCK_HEADER;
  return (char *)block + BLOCK_HEADER;
}

static struct block *block_of(const void *pointer) { return (struct block *)((char *)pointer - BLOCK_HEADER); }

static size_t heap_usable_size(const void *pointer) { return pointer == NULL ? 0 : block_of(pointer)->size; }

static void heap_free(JSMallocState *state, void *pointer) {
  if (pointer == NULL) return;
  struct block *block = block_of(pointer);
  size_t rounded, bin = bin_of(block->size, &rounded);
  state->malloc_count--;
  state->malloc_size -= block->size + BLOCK_HEADER;
  block->next = HEAP->bins[bin];
  HEAP->bins[bin] = block;
}

static void *heap_realloc(JSMallocState *state, void *pointer, size_t size) {
  if (pointer == NULL) return size == 0 ? NULL : heap_malloc(state, size);
  if (size == 0) {
    heap_free(state, pointer);
    return NULL;
  }
  size_t old = block_of(pointer)->size;
  if (size <= old && size >= old / 2) return pointer;
  void *moved = heap_malloc(state, size);
  if (moved == NULL) return NULL;
  memcpy(moved, pointer, size < old ? size : old);
  heap_free(state, pointer);
  return moved;
}

static const JSMallocFunctions heap_functions = {heap_malloc, heap_free, heap_realloc, heap_usable_size};

/* ---- failing ------------------------------------------------------------------------------------------------- */

static void die(const char *what) {
  (void)!write(2, "runts: ", 7);
  (void)!write(2, what, strlen(what));
  (void)!write(2, "\n", 1);
  _exit(1);
}

/* Tells of what was thrown. */
static void die_of(JSContext *ctx, JSValueConst error) {
  const char *text = JS_ToCString(ctx, error);
  JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
  const char *trace = JS_IsUndefined(stack) ? NULL : JS_ToCString(ctx, stack);
  fprintf(stderr, "runts: %s\n%s", text == NULL ? "exception" : text, trace == NULL ? "" : trace);
  fflush(stderr);
  _exit(1);
}

static void die_of_exception(JSContext *ctx) { die_of(ctx, JS_GetException(ctx)); }

/* ---- promises that were rejected, and that nothing waits for ---------------------------------------------------- */

struct rejection {
  struct rejection *next;
  JSValue promise, reason;
};

/* In their order. None when a heap is written: the build fails of them. */
static struct rejection *rejections;

/* Called by the engine, at a rejection that nothing waits for, and when something does after all. */
static void track_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, int handled, void *opaque) {
  (void)opaque;
  struct rejection **at = &rejections;
  while (*at != NULL && JS_VALUE_GET_PTR((*at)->promise) != JS_VALUE_GET_PTR(promise)) at = &(*at)->next;
  struct rejection *found = *at;
  if (handled && found != NULL) {
    *at = found->next;
    JS_FreeValue(ctx, found->promise);
    JS_FreeValue(ctx, found->reason);
    js_free(ctx, found);
  } else if (!handled && found == NULL) {
    found = js_malloc(ctx, sizeof *found);
    if (found == NULL) die_of_exception(ctx);
    *found = (struct rejection){NULL, JS_DupValue(ctx, promise), JS_DupValue(ctx, reason)};
    *at = found;
  }
}

static int failing;

/* Lets the program tell of what nothing caught, and end; when nothing in it does, or that fails too, it ends here. */
static void fail(JSContext *ctx, const char *event, JSValueConst error) {
  if (failing++ || !JS_IsFunction(ctx, HEAP->failure)) die_of(ctx, error);
  JSValue arguments[] = {JS_NewString(ctx, event), JS_DupValue(ctx, error)};
  JSValue told = JS_Call(ctx, HEAP->failure, JS_UNDEFINED, 2, arguments);
  if (JS_IsException(told)) die_of_exception(ctx);
  if (!JS_ToBool(ctx, told)) die_of(ctx, error);
}

static void fail_of_exception(JSContext *ctx) { fail(ctx, "uncaughtException", JS_GetException(ctx)); }

/* Promises' reactions until there are none, and then the first rejection that is nobody's. */
static void run_jobs(JSRuntime *rt) {
  JSContext *ctx;
  int result;
  do {
    while ((result = JS_ExecutePendingJob(rt, &ctx)) != 0)
      if (result < 0) fail_of_exception(ctx);
    if (rejections == NULL) return;
    /* The others are not told: the program ends of one. */
    JSValue reason = rejections->reason;
    rejections = NULL;
    fail(HEAP->context, "unhandledRejection", reason);
  } while (1);
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

/* Length of the valid UTF-8 sequence at `at`, or of what is to become one U+FFFD (WHATWG Encoding, negative). */
static int sequence(const uint8_t *at, const uint8_t *end) {
  uint8_t first = at[0];
  if (first < 0x80) return 1;
  int length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return -1;
  uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  for (int i = 1; i < length; i++) {
    if (at + i == end || at[i] < low || at[i] > high) return -i;
    low = 0x80;
    high = 0xbf;
  }
  return length;
}

/* Bytes as text; what is no UTF-8 becomes U+FFFD. */
static JSValue text_of(JSContext *ctx, const uint8_t *bytes, size_t length) {
  const uint8_t *end = bytes + length;
  size_t bad = 0;
  for (const uint8_t *at = bytes; at < end;) {
    if (*at < 0x80) {
      at++;
      continue;
    }
    int step = sequence(at, end);
    if (step < 0) bad++;
    at += step < 0 ? -step : step;
  }
  if (bad == 0) return JS_NewStringLen(ctx, (const char *)bytes, length);
  uint8_t *clean = js_malloc(ctx, length + 3 * bad), *to = clean;
  if (clean == NULL) return JS_EXCEPTION;
  for (const uint8_t *at = bytes; at < end;) {
    int step = sequence(at, end);
    if (step < 0) {
      memcpy(to, "\xef\xbf\xbd", 3);
      to += 3;
      at -= step;
    } else {
      memcpy(to, at, (size_t)step);
      to += step;
      at += step;
    }
  }
  JSValue text = JS_NewStringLen(ctx, (const char *)clean, (size_t)(to - clean));
  js_free(ctx, clean);
  return text;
}

/* The engine writes half a surrogate pair as three bytes; as UTF-8 it is U+FFFD. */
void no_surrogates(uint8_t *bytes, size_t length) {
  for (size_t i = 0; i + 2 < length; i++)
    if (bytes[i] == 0xed && bytes[i + 1] >= 0xa0) memcpy(bytes + i, "\xef\xbf\xbd", 3);
}

/* ---- memory that JavaScript lends to C ----------------------------------------------------------------------- */

/* The bytes of a typed array. */
uint8_t *bytes_of(JSContext *ctx, JSValueConst view, size_t *length) {
  size_t offset, size, width;
  JSValue buffer = JS_GetTypedArrayBuffer(ctx, view, &offset, length, &width);
  if (JS_IsException(buffer)) return NULL;
  uint8_t *data = JS_GetArrayBuffer(ctx, &size, buffer);
  JS_FreeValue(ctx, buffer);
  return data == NULL ? NULL : data + offset;
}


static JSValue new_bytes(JSContext *ctx, const void *from, size_t length) {
  JSValue buffer = JS_NewArrayBufferCopy(ctx, from, length);
  if (JS_IsException(buffer)) return buffer;
  JSValue global = JS_GetGlobalObject(ctx);
  JSValue constructor = JS_GetPropertyStr(ctx, global, "Uint8Array");
  JSValue view = JS_CallConstructor(ctx, constructor, 1, &buffer);
  JS_FreeValue(ctx, global);
  JS_FreeValue(ctx, constructor);
  JS_FreeValue(ctx, buffer);
  return view;
}

/* ---- calls --------------------------------------------------------------------------------------------------- */

#define MAX_ARGS 10

struct arguments {
  long values[MAX_ARGS];
  const char *strings[MAX_ARGS];
  int count;
  int refused; /* a string has a NUL byte */
};

static int take_argument(JSContext *ctx, struct arguments *to, JSValueConst value) {
  long *slot = &to->values[to->count];
  to->strings[to->count] = NULL;
  switch (JS_VALUE_GET_NORM_TAG(value)) {
    case JS_TAG_INT:
      *slot = JS_VALUE_GET_INT(value);
      break;
    case JS_TAG_NULL:
    case JS_TAG_UNDEFINED:
      *slot = 0;
      break;
    case JS_TAG_BOOL:
      *slot = JS_VALUE_GET_BOOL(value);
      break;
    case JS_TAG_FLOAT64: {
      double number = JS_VALUE_GET_FLOAT64(value);
      *slot = number >= 9223372036854775808.0 ? (long)(unsigned long)number : (long)number;
      break;
    }
    case JS_TAG_STRING: {
      size_t length;
      const char *text = JS_ToCStringLen(ctx, &length, value);
      if (text == NULL) return -1;
      no_surrogates((uint8_t *)text, length);
      to->strings[to->count] = text;
      /* C would take it for a shorter one. */
      if (memchr(text, 0, length) != NULL) to->refused = 1;
      *slot = (long)text;
      break;
    }
    case JS_TAG_OBJECT: {
      size_t length;
      uint8_t *bytes = bytes_of(ctx, value, &length);
      if (bytes == NULL) return -1;
      *slot = length == 0 ? 0 : (long)bytes;
      break;
    }
    default: {
      int64_t number;
      if (JS_ToBigInt64(ctx, &number, value) < 0) return -1;
      *slot = number;
    }
  }
  to->count++;
  return 0;
}

static void release_arguments(JSContext *ctx, struct arguments *from) {
  for (int i = 0; i < from->count; i++)
    if (from->strings[i] != NULL) JS_FreeCString(ctx, from->strings[i]);
}

static int take_list(JSContext *ctx, struct arguments *to, JSValueConst list, int at_most) {
  JSValue size = JS_GetPropertyStr(ctx, list, "length");
  int count = 0;
  JS_ToInt32(ctx, &count, size);
  if (count > at_most) {
    JS_ThrowRangeError(ctx, "%d arguments", count);
    return -1;
  }
  for (int i = 0; i < count; i++) {
    JSValue item = JS_GetPropertyUint32(ctx, list, (uint32_t)i);
    int failed = take_argument(ctx, to, item);
    JS_FreeValue(ctx, item);
    if (failed) return -1;
  }
  return 0;
}

/* syscall(number, arguments): the result, or the negative errno; EINVAL for a string with a NUL byte */
static JSValue js_syscall(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct arguments args;
  memset(&args, 0, sizeof args);
  int number;
  if (JS_ToInt32(ctx, &number, argv[0]) < 0 || take_list(ctx, &args, argv[1], 6) < 0) {
    release_arguments(ctx, &args);
    return JS_EXCEPTION;
  }
  long *v = args.values;
  long result = args.refused ? -EINVAL : syscall(number, v[0], v[1], v[2], v[3], v[4], v[5]);
  if (result == -1) result = -errno;
  release_arguments(ctx, &args);
  return JS_NewInt64(ctx, result);
}

/* open(library or null): a handle, or the loader's message */
static JSValue js_open(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  const char *name = JS_IsNull(argv[0]) ? NULL : JS_ToCString(ctx, argv[0]);
  void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (name != NULL) JS_FreeCString(ctx, name);
  return handle == NULL ? JS_NewString(ctx, dlerror()) : JS_NewInt64(ctx, (long)handle);
}

/* symbol(handle, name): its address, or 0 */
static JSValue js_symbol(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int64_t handle;
  const char *name = JS_ToCString(ctx, argv[1]);
  if (name == NULL || JS_ToInt64(ctx, &handle, argv[0]) < 0) return JS_EXCEPTION;
  void *address = dlsym((void *)handle, name);
  JS_FreeCString(ctx, name);
  return JS_NewInt64(ctx, (long)address);
}

/*
 * call(address, bits of the result (32 signed: -32, unsigned: 32, 64, none: 0), arguments)
 *
 * Integers and pointers only, which both architectures pass the same whatever the function takes; those beyond the
 * registers lie on the stack, where a function that takes fewer does not look.
 */
static JSValue js_call(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  struct arguments args;
  memset(&args, 0, sizeof args);
  int64_t address;
  int width;
  if (JS_ToInt64(ctx, &address, argv[0]) < 0 || JS_ToInt32(ctx, &width, argv[1]) < 0 ||
      take_list(ctx, &args, argv[2], MAX_ARGS) < 0) {
    release_arguments(ctx, &args);
    return JS_EXCEPTION;
  }
  long *v = args.values;
  long (*function)(long, long, long, long, long, long, long, long, long, long) = (void *)address;
  long result = function(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9]);
  release_arguments(ctx, &args);
  if (width == 0) return JS_UNDEFINED;
  return JS_NewInt64(ctx, width == -32 ? (int)result : width == 32 ? (long)(unsigned)result : result);
}

/* address(typed array): where it lies */
static JSValue js_address(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  size_t length;
  uint8_t *bytes = bytes_of(ctx, argv[0], &length);
  return bytes == NULL ? JS_EXCEPTION : JS_NewBigUint64(ctx, (uint64_t)bytes);
}

/* encode(text): its UTF-8 as a Uint8Array */
static JSValue js_encode(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  size_t length;
  const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
  if (text == NULL) return JS_EXCEPTION;
  no_surrogates((uint8_t *)text, length);
  JSValue bytes = new_bytes(ctx, text, length);
  JS_FreeCString(ctx, text);
  return bytes;
}

/* decode(bytes): the text */
static JSValue js_decode(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  size_t length;
  uint8_t *bytes = bytes_of(ctx, argv[0], &length);
  return bytes == NULL ? JS_EXCEPTION : text_of(ctx, bytes, length);
}

static JSValue js_exit(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int code = 0;
  JS_ToInt32(ctx, &code, argv[0]);
  /* Most commands end within the very job that a rejection would be told after. */
  if (rejections != NULL && !failing) {
    run_jobs(HEAP->runtime);
    code = 1;
  }
  _exit(code);
}

/* clock(): milliseconds of the monotonic clock */
static JSValue js_clock(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return JS_NewFloat64(ctx, (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6);
}

/* ---- what the kernel handed over ----------------------------------------------------------------------------- */

static int argument_count;
static char **arguments;
extern char **environ;

static JSValue strings(JSContext *ctx, char **from, int count) {
  JSValue list = JS_NewArray(ctx);
  for (int i = 0; i < count; i++)
    JS_SetPropertyUint32(ctx, list, (uint32_t)i, text_of(ctx, (uint8_t *)from[i], strlen(from[i])));
  return list;
}

static JSValue js_arguments(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  return strings(ctx, arguments, argument_count);
}

/* environment(): values by name. Without a prototype, whose names would count as set. */
static JSValue js_environment(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  JSValue all = JS_NewObjectProto(ctx, JS_NULL);
  for (char **line = environ; *line != NULL; line++) {
    const char *end = strchr(*line, '=');
    if (end == NULL || end == *line) continue;
    JSValue name = text_of(ctx, (uint8_t *)*line, (size_t)(end - *line));
    JSAtom atom = JS_ValueToAtom(ctx, name);
    /* The first of two counts, as for getenv(3). */
    if (JS_HasProperty(ctx, all, atom) == 0)
      JS_DefinePropertyValue(ctx, all, atom, text_of(ctx, (const uint8_t *)end + 1, strlen(end + 1)), JS_PROP_C_W_E);
    JS_FreeAtom(ctx, atom);
    JS_FreeValue(ctx, name);
  }
  return all;
}

static int first_free;

/* firstFree(): the lowest descriptor that was not open when the program began */
static JSValue js_first_free(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  return JS_NewInt32(ctx, first_free);
}

/* ---- signals ------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t arrived[65];
/* Whether any did: to look costs no system call. */
static volatile sig_atomic_t any_arrived;
static int signal_fd = -1;

static void on_signal(int number) {
  int saved = errno;
  uint64_t one = 1;
  arrived[number] = 1;
  any_arrived = 1;
  (void)!write(signal_fd, &one, sizeof one);
  errno = saved;
}

/* catchSignal(number, whether) -> the descriptor that becomes readable */
static JSValue js_catch_signal(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  int number;
  if (JS_ToInt32(ctx, &number, argv[0]) < 0) return JS_EXCEPTION;
  if (signal_fd < 0) signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action = {.sa_flags = SA_RESTART};
  action.sa_handler = JS_ToBool(ctx, argv[1]) ? on_signal : SIG_DFL;
  sigaction(number, &action, NULL);
  return JS_NewInt32(ctx, signal_fd);
}

/* takeSignals(): the numbers of those that came since */
static JSValue js_take_signals(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  uint64_t count;
  JSValue list = JS_NewArray(ctx);
  if (!any_arrived) return list;
  any_arrived = 0;
  (void)!read(signal_fd, &count, sizeof count);
  uint32_t at = 0;
  for (int number = 1; number < 65; number++) {
    if (!arrived[number]) continue;
    arrived[number] = 0;
    JS_SetPropertyUint32(ctx, list, at++, JS_NewInt32(ctx, number));
  }
  return list;
}

/* ---- the program --------------------------------------------------------------------------------------------- */

/* onStart(function): what a start calls */
static JSValue js_on_start(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  JS_FreeValue(ctx, HEAP->start);
  HEAP->start = JS_DupValue(ctx, argv[0]);
  return JS_UNDEFINED;
}

/* onFailure(function): what is called with "uncaughtException" or "unhandledRejection" and what was thrown; whether it was told */
static JSValue js_on_failure(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc;
  JS_FreeValue(ctx, HEAP->failure);
  HEAP->failure = JS_DupValue(ctx, argv[0]);
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry functions[] = {
  JS_CFUNC_DEF("syscall", 2, js_syscall),
  JS_CFUNC_DEF("open", 1, js_open),
  JS_CFUNC_DEF("symbol", 2, js_symbol),
  JS_CFUNC_DEF("call", 3, js_call),
  JS_CFUNC_DEF("address", 1, js_address),
  JS_CFUNC_DEF("encode", 1, js_encode),
  JS_CFUNC_DEF("decode", 1, js_decode),
  JS_CFUNC_DEF("exit", 1, js_exit),
  JS_CFUNC_DEF("clock", 0, js_clock),
  JS_CFUNC_DEF("arguments", 0, js_arguments),
  JS_CFUNC_DEF("environment", 0, js_environment),
  JS_CFUNC_DEF("firstFree", 0, js_first_free),
  JS_CFUNC_DEF("catchSignal", 2, js_catch_signal),
  JS_CFUNC_DEF("takeSignals", 0, js_take_signals),
  JS_CFUNC_DEF("onStart", 1, js_on_start),
  JS_CFUNC_DEF("onFailure", 1, js_on_failure),
#ifdef __aarch64__
  JS_PROP_STRING_DEF("arch", "arm64", JS_PROP_C_W_E),
#else
  JS_PROP_STRING_DEF("arch", "x64", JS_PROP_C_W_E),
#endif
  JS_PROP_STRING_DEF("version", CONFIG_VERSION, JS_PROP_C_W_E),
};

int main(int argc, char **argv);
extern char etext;
static const void *const code[3] = {(const void *)main, &etext, (const void *)JS_NewContextRaw};

static void new_heap(void) {
  struct heap *heap = HEAP;
  heap->magic = HEAP_MAGIC;
  memcpy(heap->code, code, sizeof code);
  if (heap->end == NULL) heap->end = (char *)heap + HEAP_STEP;
  memset(heap->bins, 0, sizeof heap->bins);
  heap->top = (char *)heap + (sizeof *heap + 8 + 15) / 16 * 16 + 8;
  heap->runtime = JS_NewRuntime2(&heap_functions, NULL);
  heap->context = JS_NewContextRaw(heap->runtime);
  heap->start = heap->failure = JS_UNDEFINED;
  JS_SetHostPromiseRejectionTracker(heap->runtime, track_rejection, NULL);
  JSContext *ctx = heap->context;
  JS_AddIntrinsicBaseObjects(ctx);
  JS_AddIntrinsicDate(ctx);
  JS_AddIntrinsicEval(ctx);
  JS_AddIntrinsicRegExp(ctx);
  JS_AddIntrinsicRegExpCompiler(ctx);
  JS_AddIntrinsicJSON(ctx);
  JS_AddIntrinsicMapSet(ctx);
  JS_AddIntrinsicTypedArrays(ctx);
  JS_AddIntrinsicPromise(ctx);
  JS_AddIntrinsicBigInt(ctx);
  JS_AddIntrinsicProxy(ctx);
  /* Nothing that a command makes is worth a search for cycles; `events` and the foreground may. */
  JS_SetGCThreshold(heap->runtime, 64 << 20);
  JSValue global = JS_GetGlobalObject(ctx), host = JS_NewObject(ctx);
  JS_SetPropertyFunctionList(ctx, host, functions, sizeof functions / sizeof *functions);
  define_tape(ctx, host, &heap->tape);
  JS_SetPropertyStr(ctx, global, "__runts", host);
  JS_FreeValue(ctx, global);
}

static char *read_file(const char *path, size_t *length) {
  FILE *file = fopen(path, "r");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) die("cannot read the program");
  *length = (size_t)ftell(file);
  rewind(file);
  char *text = malloc(*length + 1);
  if (text == NULL || fread(text, 1, *length, file) != *length) die("cannot read the program");
  text[*length] = '\0';
  fclose(file);
  return text;
}

static void make_heap(const char *program, const char *out) {
  size_t length;
  new_heap();
  char *text = read_file(program, &length);
  JSContext *ctx = HEAP->context;
  JSValue compiled =
    JS_Eval(ctx, text, length, "runts", JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(compiled)) die_of_exception(ctx);
  uint8_t *written = JS_WriteObject(ctx, &length, compiled, JS_WRITE_OBJ_BYTECODE);
  if (written == NULL) die_of_exception(ctx);
  char *bytecode = malloc(length);
  if (bytecode == NULL) die("no memory");
  memcpy(bytecode, written, length);
  /* Once more from the beginning, without what the compiler has left in between: fewer pages for a process to touch. */
  new_heap();
  ctx = HEAP->context;
  compiled = JS_ReadObject(ctx, (uint8_t *)bytecode, length, JS_READ_OBJ_BYTECODE);
  if (JS_IsException(compiled)) die_of_exception(ctx);
  JSValue result = JS_EvalFunction(ctx, compiled);
  if (JS_IsException(result)) die_of_exception(ctx);
  run_jobs(HEAP->runtime);
  if (JS_IsUndefined(HEAP->start)) die("the program has nothing to start");
  JS_CompleteObjects(ctx);
  JS_RunGC(HEAP->runtime);
  /* What is free lies scattered: a process takes new memory, and does not copy a page of the executable for each block. */
  memset(HEAP->bins, 0, sizeof HEAP->bins);
  /* Nor for each count of references. */
  HEAP->frozen_names = JS_FreezeRuntime(HEAP->runtime);
  FILE *file = fopen(out, "w");
  size_t size = (size_t)(HEAP->top - (char *)HEAP + HEAP_STEP - 1) / HEAP_STEP * HEAP_STEP;
  HEAP->end = (char *)HEAP + size;
  if (file == NULL || fwrite(HEAP, 1, size, file) != size || fclose(file) != 0) die("cannot write the heap");
}

/* What Node does at its start too: descriptors 0 to 2 are open, and a reader that goes away is an error of write(2). */
static void prepare_process(void) {
  for (int fd = 0; fd < 3; fd++)
    if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)!open("/dev/null", O_RDWR);
  /* What our caller left open from 3 on, before we open anything. */
  first_free = 3;
  while (fcntl(first_free, F_GETFD) != -1) first_free++;
  signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv) {
  argument_count = argc;
  arguments = argv;
  if (HEAP->magic != HEAP_MAGIC) {
    making = 1;
    if (argc != 4 || strcmp(argv[1], "--heap-of") != 0) die("this engine has no program yet");
    /* Once more with the stack always in the same place: some of its addresses stay in memory that nothing reads. */
    int before = personality(0xffffffff);
    if (before != -1 && !(before & ADDR_NO_RANDOMIZE) && personality((unsigned long)before | ADDR_NO_RANDOMIZE) != -1)
      execv(argv[0], argv);
    make_heap(argv[2], argv[3]);
    return 0;
  }
  if (memcmp(HEAP->code, code, sizeof code) != 0) die("the heap is another engine's");
  struct rlimit stack;
  size_t room = 4 << 20;
  if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur / 2 < room) room = stack.rlim_cur / 2;
  prepare_process();
  heap_continue();
  JS_UseFrozenRuntime(HEAP->frozen_names);
  use_tape_names(&HEAP->tape);
  JS_UpdateStackTop(HEAP->runtime);
  JS_SetMaxStackSize(HEAP->runtime, room);
  JSContext *ctx = HEAP->context;
  JSValue turn = JS_Call(ctx, HEAP->start, JS_UNDEFINED, 0, NULL);
  if (JS_IsException(turn)) die_of_exception(ctx);
  /* The program gives its event loop: called when nothing else is left to do, false when there is nothing to wait for. */
  for (;;) {
    run_jobs(HEAP->runtime);
    JSValue more = JS_Call(ctx, turn, JS_UNDEFINED, 0, NULL);
    if (JS_IsException(more)) {
      fail_of_exception(ctx);
      continue;
    }
    /* Node's code for a program that waits for nothing and has not ended. */
    if (!JS_ToBool(ctx, more)) _exit(13);
  }
}
