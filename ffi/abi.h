/*
 * The executor's ABI, as C sees it. The documentation is in abi.ts; abi.test.ts checks that every number here is there
 * and the other way around, and the assertions below tie the structures to the numbers.
 */
#ifndef RUNTS_ABI_H
#define RUNTS_ABI_H

#define RTAP_MAGIC 0x50415452
#define RTAP_VERSION 3

#define RTAP_MACHINE_X64 62
#define RTAP_MACHINE_ARM64 183

#define RTAP_IMAGE_TEXT_BASE 0x400000
#define RTAP_IMAGE_TAPE_OFFSET 0x1000
#define RTAP_IMAGE_TAPE_BASE 0x10001000
#define RTAP_IMAGE_CELLS_BASE 0x20000000
#define RTAP_IMAGE_ALIGNMENT 0x10000
#define RTAP_IMAGE_TAPE_FILESZ 152
#define RTAP_IMAGE_TAPE_MEMSZ 160
#define RTAP_IMAGE_CELLS_MEMSZ 216

#define RTAP_STACK_SIZE 512

#define RTAP_HEADER_SIZE 32
#define RTAP_HEADER_MAGIC 0
#define RTAP_HEADER_VERSION 4
#define RTAP_HEADER_MACHINE 6
#define RTAP_HEADER_OP_COUNT 8
#define RTAP_HEADER_DATA_OFFSET 12
#define RTAP_HEADER_TAPE_SIZE 16
#define RTAP_HEADER_CELLS_SIZE 20
#define RTAP_HEADER_REPORT_FD 24
#define RTAP_HEADER_RESERVED 28

#define RTAP_OP_SIZE 48
#define RTAP_OP_KIND 0
#define RTAP_OP_NR 2
#define RTAP_OP_ARG_KINDS 4
#define RTAP_OP_WIDE 6
#define RTAP_OP_ARG 8
#define RTAP_OP_STORE 32
#define RTAP_OP_TARGET 36
#define RTAP_OP_ERRNOS 40

#define RTAP_KIND_SYSCALL 0
#define RTAP_KIND_JUMP 1
#define RTAP_KIND_SET 2
#define RTAP_KIND_NOTIFY 3
#define RTAP_KIND_FAIL 4
#define RTAP_KIND_REPORT_TO 5

#define RTAP_ARG_IMMEDIATE 0
#define RTAP_ARG_DATA 1
#define RTAP_ARG_CELL 2
#define RTAP_ARG_VALUE 3

#define RTAP_CONDITION_ALWAYS 0
#define RTAP_CONDITION_EQUAL 1
#define RTAP_CONDITION_NOT_EQUAL 2
#define RTAP_CONDITION_LESS 3
#define RTAP_CONDITION_NOT_LESS 4
#define RTAP_CONDITION_AND 5

#define RTAP_OPERATOR_COPY 0
#define RTAP_OPERATOR_ADD 1
#define RTAP_OPERATOR_AND 2
#define RTAP_OPERATOR_OR 3
#define RTAP_OPERATOR_SHIFT_LEFT 4
#define RTAP_OPERATOR_SHIFT_RIGHT 5

#define RTAP_ERRNO_ANY 0xffff

#define RTAP_MESSAGE_SIZE 32
#define RTAP_MESSAGE_TYPE 0
#define RTAP_MESSAGE_INDEX 4
#define RTAP_MESSAGE_A 8
#define RTAP_MESSAGE_B 16
#define RTAP_MESSAGE_TEXT_LENGTH 24
#define RTAP_MESSAGE_RESERVED 28
#define RTAP_MESSAGE_TEXT_LIMIT 512

#define RTAP_TYPE_FAIL 1
#define RTAP_TYPE_NOTE 2
#define RTAP_TYPE_REFUSED 3

#define RTAP_INDEX_HEADER 0xffffffff

#define RTAP_REASON_MAGIC 1
#define RTAP_REASON_VERSION 2
#define RTAP_REASON_MACHINE 3
#define RTAP_REASON_TAPE_SIZE 4
#define RTAP_REASON_CELLS_SIZE 5
#define RTAP_REASON_LAYOUT 6
#define RTAP_REASON_RESERVED 7
#define RTAP_REASON_KIND 8
#define RTAP_REASON_NUMBER 9
#define RTAP_REASON_ARG_KINDS 10
#define RTAP_REASON_DATA 11
#define RTAP_REASON_CELL 12
#define RTAP_REASON_VALUE 13
#define RTAP_REASON_STORE 14
#define RTAP_REASON_TARGET 15
#define RTAP_REASON_END 16

#define RTAP_EXIT_FAILED 255
#define RTAP_EXIT_REFUSED 254

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int i32;
typedef long i64;

struct rtap_header {
	u32 magic;
	u16 version, machine;
	u32 op_count, data_offset, tape_size, cells_size;
	i32 report_fd;
	u32 reserved;
};

struct rtap_op {
	u16 kind, nr, arg_kinds, wide;
	i32 arg[6];
	u32 store, target;
	u16 errnos[4];
};

struct rtap_message {
	u32 type, index;
	i64 a, b;
	u32 text_length, reserved;
};

#define RTAP_AT(structure, field, offset) \
	_Static_assert(__builtin_offsetof(struct structure, field) == offset, #structure "." #field)

_Static_assert(sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(u64) == 8, "LP64");
_Static_assert(sizeof(struct rtap_header) == RTAP_HEADER_SIZE, "header");
RTAP_AT(rtap_header, magic, RTAP_HEADER_MAGIC);
RTAP_AT(rtap_header, version, RTAP_HEADER_VERSION);
RTAP_AT(rtap_header, machine, RTAP_HEADER_MACHINE);
RTAP_AT(rtap_header, op_count, RTAP_HEADER_OP_COUNT);
RTAP_AT(rtap_header, data_offset, RTAP_HEADER_DATA_OFFSET);
RTAP_AT(rtap_header, tape_size, RTAP_HEADER_TAPE_SIZE);
RTAP_AT(rtap_header, cells_size, RTAP_HEADER_CELLS_SIZE);
RTAP_AT(rtap_header, report_fd, RTAP_HEADER_REPORT_FD);
RTAP_AT(rtap_header, reserved, RTAP_HEADER_RESERVED);
_Static_assert(sizeof(struct rtap_op) == RTAP_OP_SIZE, "op");
RTAP_AT(rtap_op, kind, RTAP_OP_KIND);
RTAP_AT(rtap_op, nr, RTAP_OP_NR);
RTAP_AT(rtap_op, arg_kinds, RTAP_OP_ARG_KINDS);
RTAP_AT(rtap_op, wide, RTAP_OP_WIDE);
RTAP_AT(rtap_op, arg, RTAP_OP_ARG);
RTAP_AT(rtap_op, store, RTAP_OP_STORE);
RTAP_AT(rtap_op, target, RTAP_OP_TARGET);
RTAP_AT(rtap_op, errnos, RTAP_OP_ERRNOS);
_Static_assert(sizeof(struct rtap_message) == RTAP_MESSAGE_SIZE, "message");
RTAP_AT(rtap_message, type, RTAP_MESSAGE_TYPE);
RTAP_AT(rtap_message, index, RTAP_MESSAGE_INDEX);
RTAP_AT(rtap_message, a, RTAP_MESSAGE_A);
RTAP_AT(rtap_message, b, RTAP_MESSAGE_B);
RTAP_AT(rtap_message, text_length, RTAP_MESSAGE_TEXT_LENGTH);
RTAP_AT(rtap_message, reserved, RTAP_MESSAGE_RESERVED);

#endif
