/* The heap of engine.c: a page's worth of nothing in the engine that makes it, its image (-DIMAGE) in the program. */
.section .runts.heap, "aw", %progbits
.balign 65536
#ifdef IMAGE
.incbin IMAGE
#else
.zero 262144
#endif
.section .note.GNU-stack, "", %progbits
