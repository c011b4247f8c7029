/*
 * The functions of libm that QuickJS calls, so that not every start of the program loads the library: a fifth of the time
 * that a dynamic loader takes. Rounding is done here; what no command needs at its start comes from the library when it is
 * first asked for.
 */
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *from_library(const char *name) {
  static void *library;
  if (library == NULL) library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
  void *function = library == NULL ? NULL : dlsym(library, name);
  if (function == NULL) abort();
  return function;
}

#define LATER_1(name)                                                      \
  double name(double x) {                                                  \
    static double (*function)(double);                                     \
    if (function == NULL) function = (double (*)(double))from_library(#name); \
    return function(x);                                                    \
  }
#define LATER_2(name)                                                                      \
  double name(double x, double y) {                                                        \
    static double (*function)(double, double);                                             \
    if (function == NULL) function = (double (*)(double, double))from_library(#name);         \
    return function(x, y);                                                                 \
  }

LATER_1(acos)
LATER_1(acosh)
LATER_1(asin)
LATER_1(asinh)
LATER_1(atan)
LATER_1(atanh)
LATER_1(cbrt)
LATER_1(cos)
LATER_1(cosh)
LATER_1(exp)
LATER_1(expm1)
LATER_1(log)
LATER_1(log10)
LATER_1(log1p)
LATER_1(log2)
LATER_1(sin)
LATER_1(sinh)
LATER_1(tan)
LATER_1(tanh)
LATER_2(atan2)
LATER_2(hypot)

int fesetround(int mode) {
  static int (*function)(int);
  if (function == NULL) function = (int (*)(int))from_library("fesetround");
  return function(mode);
}

/* From here on every double is an integer, or none at all. */
#define INTEGERS 4503599627370496.0

static int is_whole(double x) { return !(__builtin_fabs(x) < INTEGERS); }

double trunc(double x) { return is_whole(x) ? x : __builtin_copysign((double)(int64_t)x, x); }

double floor(double x) {
  if (is_whole(x)) return x;
  double whole = (double)(int64_t)x;
  return __builtin_copysign(whole > x ? whole - 1 : whole, x);
}

double ceil(double x) {
  if (is_whole(x)) return x;
  double whole = (double)(int64_t)x;
  return __builtin_copysign(whole < x ? whole + 1 : whole, x);
}

/* Half away from zero. */
double round(double x) {
  if (is_whole(x)) return x;
  double whole = (double)(int64_t)x, rest = __builtin_fabs(x - whole);
  return __builtin_copysign(rest < 0.5 ? whole : whole + __builtin_copysign(1, x), x);
}

/* By the mode of rounding at hand, which adding and subtracting obey. */
long lrint(double x) {
  if (!is_whole(x)) {
    volatile double shift = __builtin_copysign(INTEGERS, x), sum = x + shift;
    x = sum - shift;
  }
  return (long)x;
}

double fmod(double x, double y) {
  static double (*function)(double, double);
  if (!is_whole(x) && !is_whole(y) && y != 0 && y == (double)(int64_t)y) {
    /* What is behind the point is none of an integer's business. The sum is exact: it has no more digits than x. */
    int64_t whole = (int64_t)x;
    return __builtin_copysign((double)(whole % (int64_t)y) + (x - (double)whole), x);
  }
  if (function == NULL) function = (double (*)(double, double))from_library("fmod");
  return function(x, y);
}

/* Powers of two are what sizes and masks are written with. */
double pow(double x, double y) {
  static double (*function)(double, double);
  if (x == 2 && y >= -1022 && y <= 1023 && y == (double)(int)y) {
    uint64_t bits = (uint64_t)((int)y + 1023) << 52;
    memcpy(&x, &bits, sizeof x);
    return x;
  }
  if (function == NULL) function = (double (*)(double, double))from_library("pow");
  return function(x, y);
}

double fabs(double x) { return __builtin_fabs(x); }

double sqrt(double x) {
  static double (*function)(double);
  if (function == NULL) function = (double (*)(double))from_library("sqrt");
  return function(x);
}

/* As C has it; QuickJS sees to not-a-number and to the sign of zero itself. */
double fmax(double x, double y) { return x > y || y != y ? x : y; }

double fmin(double x, double y) { return x < y || y != y ? x : y; }
