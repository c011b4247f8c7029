/*
 * The executor: performs the tape that is mapped behind it. abi.ts documents the format and every rule.
 *
 * It runs as the first process of a container, so it holds nothing: no policy, no libc, no variables, no writable
 * code, no memory but the cells, whose beginning is its stack. It validates the whole tape before it performs any of
 * it.
 */
#include "abi.h"

#define AT(base, type) ((type *)(unsigned long)(base))
#define HEADER AT(RTAP_IMAGE_TAPE_BASE, const struct rtap_header)
#define OPS AT(RTAP_IMAGE_TAPE_BASE + RTAP_HEADER_SIZE, const struct rtap_op)
#define CELL(offset) (*AT(RTAP_IMAGE_CELLS_BASE + (offset), i64))
/* A size that the assembler patched into this program's own headers. */
#define PATCHED(offset) (*AT(RTAP_IMAGE_TEXT_BASE + (offset), const u64))
#define QUOTED(number) #number
#define TEXT(number) QUOTED(number)

#if defined(__x86_64__)
enum { MACHINE = RTAP_MACHINE_X64, WRITEV = 20, EXIT_GROUP = 231, MUNMAP = 11, PRCTL = 157 };

static inline i64 call(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f)
{
	register i64 r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	i64 result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	cmpl $" TEXT(RTAP_STACK_SIZE) ", " TEXT(RTAP_IMAGE_TEXT_BASE) " + " TEXT(RTAP_IMAGE_CELLS_MEMSZ) "\n"
	"	jbe 0f\n"
	"	mov $" TEXT(RTAP_IMAGE_CELLS_BASE) " + " TEXT(RTAP_STACK_SIZE) ", %esp\n"
	"0:	call run\n");
#elif defined(__aarch64__)
enum { MACHINE = RTAP_MACHINE_ARM64, WRITEV = 66, EXIT_GROUP = 94, MUNMAP = 215, PRCTL = 167 };

static inline i64 call(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f)
{
	register i64 x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
	register i64 x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	mov x0, sp\n"
	"	mov x1, " TEXT(RTAP_IMAGE_TEXT_BASE) "\n"
	"	ldr w1, [x1, " TEXT(RTAP_IMAGE_CELLS_MEMSZ) "]\n"
	"	cmp w1, " TEXT(RTAP_STACK_SIZE) "\n"
	"	b.ls 0f\n"
	"	mov x1, " TEXT(RTAP_IMAGE_CELLS_BASE) "\n"
	"	add sp, x1, " TEXT(RTAP_STACK_SIZE) "\n"
	"0:	b run\n");
#else
#error "no executor for this architecture"
#endif

/*
 * Within a root the kernel follows `..` only when nothing on the whole machine has been renamed or mounted meanwhile,
 * else it says EAGAIN: openat2(2). The number is the same on all machines.
 */
enum { OPENAT2 = 437, EAGAIN = 11, RETRIES = 1000 };

__attribute__((noreturn, noinline)) static void die(int status)
{
	call(EXIT_GROUP, status, 0, 0, 0, 0, 0);
	/* A seccomp filter can make exit_group return. */
	__builtin_trap();
}

/* One message. Tells whether it was written, and whole. */
__attribute__((noinline)) static int report(i32 fd, u32 type, u32 index, i64 a, i64 b, i64 text, i64 length)
{
	struct rtap_message message;
	struct {
		i64 base, length;
	} parts[2];

	if (length < 0)
		length = 0;
	if (length > RTAP_MESSAGE_TEXT_LIMIT)
		length = RTAP_MESSAGE_TEXT_LIMIT;
	message.type = type;
	message.index = index;
	message.a = a;
	message.b = b;
	message.text_length = length;
	message.reserved = 0;
	parts[0].base = (i64)&message;
	parts[0].length = sizeof message;
	parts[1].base = text;
	parts[1].length = length;
	return call(WRITEV, fd, (i64)parts, length ? 2 : 1, 0, 0, 0) == (i64)sizeof message + length;
}

/*
 * Gives back the stack that the kernel made, with the arguments and the environment: a container that waits to be
 * started keeps every page of it, and so does every child. Its last bytes are the name of the file that was executed.
 * What ps(1) can still show is the name, which would be the number of a descriptor.
 */
static void leave_stack(const u64 *stack)
{
	enum { AT_EXECFN = 31, GRANULE = 0x10000, PR_SET_NAME = 15 };
	const u64 *word = stack + 1 + *stack + 1;
	i64 from = (i64)stack & -GRANULE;

	call(PRCTL, PR_SET_NAME, stack[1], 0, 0, 0, 0);
	while (*word++)
		;
	for (; *word; word += 2) {
		if (*word != AT_EXECFN)
			continue;
		call(MUNMAP, from, (i64)word[1] - from + 1, 0, 0, 0, 0);
		return;
	}
}

/* Is there a 64-bit word at this offset of the cells? Their size is a multiple of 8 by then. */
static inline int is_cell(u64 offset)
{
	return offset % 8 == 0 && offset >= RTAP_STACK_SIZE && offset < HEADER->cells_size;
}

static u32 check_header(void)
{
	const struct rtap_header *h = HEADER;

	if (h->version != RTAP_VERSION)
		return RTAP_REASON_VERSION;
	if (h->machine != MACHINE)
		return RTAP_REASON_MACHINE;
	if (h->tape_size != PATCHED(RTAP_IMAGE_TAPE_FILESZ))
		return RTAP_REASON_TAPE_SIZE;
	if (h->cells_size != PATCHED(RTAP_IMAGE_CELLS_MEMSZ) || h->cells_size % 8 ||
	    h->cells_size <= RTAP_STACK_SIZE)
		return RTAP_REASON_CELLS_SIZE;
	if (!h->op_count || h->data_offset != RTAP_HEADER_SIZE + (u64)h->op_count * RTAP_OP_SIZE ||
	    h->data_offset > h->tape_size)
		return RTAP_REASON_LAYOUT;
	return h->reserved ? RTAP_REASON_RESERVED : 0;
}

static u32 check_op(const struct rtap_op *op)
{
	const struct rtap_header *h = HEADER;
	u32 kinds = op->arg_kinds, errnos = op->errnos[0] | op->errnos[1] | op->errnos[2] | op->errnos[3];

	if (op->wide >> 6)
		return RTAP_REASON_RESERVED;
	if (op->kind > RTAP_KIND_REPORT_TO)
		return RTAP_REASON_KIND;
	if (op->kind != RTAP_KIND_SYSCALL &&
	    op->nr > (op->kind == RTAP_KIND_JUMP  ? RTAP_CONDITION_AND
		      : op->kind == RTAP_KIND_SET ? RTAP_OPERATOR_SHIFT_RIGHT
						  : 0))
		return RTAP_REASON_NUMBER;
	if (kinds >> 12)
		return RTAP_REASON_ARG_KINDS;
	for (int i = 0; i < 6; i++, kinds >>= 2) {
		u64 arg = (u32)op->arg[i];

		if (op->wide >> i & 1) {
			if (kinds & 3)
				return RTAP_REASON_ARG_KINDS;
			if (arg < h->data_offset || arg + 8 > h->tape_size || arg % 8)
				return RTAP_REASON_DATA;
			continue;
		}
		switch (kinds & 3) {
		case RTAP_ARG_DATA:
			if (arg < h->data_offset || arg > h->tape_size)
				return RTAP_REASON_DATA;
			break;
		case RTAP_ARG_CELL:
			if (arg < RTAP_STACK_SIZE || arg >= h->cells_size)
				return RTAP_REASON_CELL;
			break;
		case RTAP_ARG_VALUE:
			if (!is_cell(arg))
				return RTAP_REASON_VALUE;
		}
	}
	if (op->store ? !is_cell(op->store - 1) : op->kind == RTAP_KIND_SET)
		return RTAP_REASON_STORE;
	if ((op->kind == RTAP_KIND_JUMP || errnos) && op->target >= h->op_count)
		return RTAP_REASON_TARGET;
	return 0;
}

static int ends(const struct rtap_op *op)
{
	return op->kind == RTAP_KIND_FAIL || (op->kind == RTAP_KIND_JUMP && op->nr == RTAP_CONDITION_ALWAYS) ||
	       (op->kind == RTAP_KIND_SYSCALL && op->nr == EXIT_GROUP);
}

static void validate(void)
{
	u32 count, index = RTAP_INDEX_HEADER, reason;

	if (PATCHED(RTAP_IMAGE_TAPE_FILESZ) < RTAP_HEADER_SIZE || HEADER->magic != RTAP_MAGIC)
		die(RTAP_EXIT_REFUSED);
	count = HEADER->op_count;
	reason = check_header();
	if (!reason) {
		for (index = 0; index < count && !reason; index++)
			reason = check_op(&OPS[index]);
		index--;
		if (!reason && !ends(&OPS[index]))
			reason = RTAP_REASON_END;
	}
	if (reason) {
		report(HEADER->report_fd, RTAP_TYPE_REFUSED, index, reason, 0, 0, 0);
		die(RTAP_EXIT_REFUSED);
	}
}

static int holds(u32 condition, i64 a, i64 b)
{
	switch (condition) {
	case RTAP_CONDITION_EQUAL:
		return a == b;
	case RTAP_CONDITION_NOT_EQUAL:
		return a != b;
	case RTAP_CONDITION_LESS:
		return a < b;
	case RTAP_CONDITION_NOT_LESS:
		return a >= b;
	case RTAP_CONDITION_AND:
		return (a & b) != 0;
	default:
		return 1;
	}
}

static u64 combine(u32 operator, u64 a, u64 b)
{
	switch (operator) {
	case RTAP_OPERATOR_ADD:
		return a + b;
	case RTAP_OPERATOR_AND:
		return a & b;
	case RTAP_OPERATOR_OR:
		return a | b;
	case RTAP_OPERATOR_SHIFT_LEFT:
		return a << (b & 63);
	case RTAP_OPERATOR_SHIFT_RIGHT:
		return a >> (b & 63);
	default:
		return a;
	}
}

static int lists(const struct rtap_op *op, u32 errno)
{
	for (int i = 0; i < 4; i++)
		if (op->errnos[i] == errno || op->errnos[i] == RTAP_ERRNO_ANY)
			return 1;
	return 0;
}

__attribute__((noreturn, used)) void run(const u64 *stack)
{
	u32 failed_index = 0, failed_errno = 0, i = 0, next, tries;
	i32 fd;

	validate();
	leave_stack(stack);
	fd = HEADER->report_fd;
	for (; i < HEADER->op_count; i = next) {
		const struct rtap_op *op = &OPS[i];
		u32 kinds = op->arg_kinds;
		i64 v[6], result;

		next = i + 1;
		for (int k = 0; k < 6; k++, kinds >>= 2) {
			u32 arg = op->arg[k];

			v[k] = (kinds & 3) == RTAP_ARG_DATA    ? RTAP_IMAGE_TAPE_BASE + (i64)arg
			       : (kinds & 3) == RTAP_ARG_CELL  ? RTAP_IMAGE_CELLS_BASE + (i64)arg
			       : (kinds & 3) == RTAP_ARG_VALUE ? CELL(arg)
			       : op->wide >> k & 1	       ? *AT(RTAP_IMAGE_TAPE_BASE + (i64)arg, const i64)
							       : (i32)arg;
		}
		switch (op->kind) {
		case RTAP_KIND_SYSCALL:
			tries = RETRIES;
			do
				result = call(op->nr, v[0], v[1], v[2], v[3], v[4], v[5]);
			while (op->nr == OPENAT2 && result == -EAGAIN && --tries);
			if (op->store)
				CELL(op->store - 1) = result;
			if (result >= 0 || result < -4095)
				break;
			if (!lists(op, -result)) {
				report(fd, RTAP_TYPE_FAIL, i, -result, 0, 0, 0);
				die(RTAP_EXIT_FAILED);
			}
			next = op->target;
			if (next != i + 1) {
				failed_index = i;
				failed_errno = -result;
			}
			break;
		case RTAP_KIND_JUMP:
			if (holds(op->nr, v[0], v[1]))
				next = op->target;
			break;
		case RTAP_KIND_SET:
			CELL(op->store - 1) = combine(op->nr, v[0], v[1]);
			break;
		case RTAP_KIND_NOTIFY:
			/* A parent that is gone must not leave half a container running. */
			if (!report(fd, RTAP_TYPE_NOTE, i, v[0], v[1], v[2], v[3]))
				die(RTAP_EXIT_FAILED);
			break;
		case RTAP_KIND_FAIL:
			if (v[2] || !failed_errno)
				report(fd, RTAP_TYPE_FAIL, i, v[2], 0, v[0], v[1]);
			else
				report(fd, RTAP_TYPE_FAIL, failed_index, failed_errno, 0, v[0], v[1]);
			die(RTAP_EXIT_FAILED);
		default:
			fd = v[0];
		}
	}
	/* Only past an exit_group that a seccomp filter made return something else than an error. */
	__builtin_trap();
}
