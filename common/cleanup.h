/*
 * Scope-bound release of what a function owns, and visible transfer of ownership.
 *
 * Used by every process; header only. A variable marked with one of these attributes is released
 * when it leaves its scope on whatever path; TAKE_FD and TAKE_POINTER hand it on and leave the
 * variable empty. Every destructor accepts "nothing" (-1 or NULL).
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* NOLINTBEGIN(bugprone-macro-parentheses): a type and a function's name cannot stand in parentheses */
/* Defines `name`, the cleanup handler that calls `function` on a non-NULL pointer of type `type *`. */
#define DEFINE_POINTER_CLEANUP(type, function, name) \
    static inline void name(type **pointer)          \
    {                                                \
        if (*pointer)                                \
            function(*pointer);                      \
        *pointer = NULL;                             \
    }                                                \
    struct cleanup_swallow_semicolon
/* NOLINTEND(bugprone-macro-parentheses) */

/* Closes *fd if it is one; keeps errno, so that it may run between a failure and its report. */
static inline void close_fd(int *fd)
{
    int saved_errno = errno;

    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = saved_errno;
}

/* Of one that was read, or whose last fflush() was asked: what closing finds wrong is lost. */
static inline void close_stream(FILE **stream)
{
    if (*stream)
        (void)fclose(*stream);
    *stream = NULL;
}

static inline void free_pointer(void *pointer_to_pointer)
{
    void **pointer = pointer_to_pointer;

    free(*pointer);
    *pointer = NULL;
}

#define CLEANUP_FD     CLEANUP(close_fd)
#define CLEANUP_STREAM CLEANUP(close_stream)
#define CLEANUP_FREE   CLEANUP(free_pointer)

static inline int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

#define TAKE_FD(fd) take_fd(&(fd))

#define TAKE_POINTER(pointer)                   \
    __extension__({                             \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
