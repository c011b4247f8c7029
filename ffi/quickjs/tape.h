/* What engine.c and tape.c share. */
#ifndef RUNTS_TAPE_H
#define RUNTS_TAPE_H

#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

enum {
  ATOM_store, ATOM_tolerate, ATOM_goto, ATOM_kind, ATOM_cell, ATOM_offset, ATOM_index, ATOM_size, ATOM_name, ATOM_bytes,
  ATOM_words, ATOM_length, ATOM_any, ATOM_cellValue, ATOM_cellAddress, ATOM_fd, ATOM_refused, ATOM_tape, ATOMS
};

/* What of JavaScript's engine the tapes of a heap need: made with the heap, and part of it. */
struct tape_names {
  JSClassID class;
  JSAtom atoms[ATOMS];
};

/* Adds the functions for tapes to `host`. `in_heap` is filled. */
void define_tape(JSContext *ctx, JSValueConst host, struct tape_names *in_heap);

/* What a process with a heap that was made before has to say first. */
void use_tape_names(struct tape_names *in_heap);

/* Of engine.c */
uint8_t *bytes_of(JSContext *ctx, JSValueConst view, size_t *length);
void no_surrogates(uint8_t *bytes, size_t length);

#endif
