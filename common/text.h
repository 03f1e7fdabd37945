/*
 * Strings in fixed arrays and numbers in text: the few string operations that every process needs.
 *
 * Used on both sides of the wall; no allocation, no logging, no privileges.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What counts as white space in a value, also of a container's label. */
#define TEXT_BLANKS " \t\r\n\v\f"

/*
 * Copies `source` with its NUL into `target` of `size` bytes; the rest of `target` becomes zero, so that
 * a fixed array that crosses a process boundary carries no left-over memory.
 * Returns 0, or -ENAMETOOLONG with `target` all zero when it does not fit.
 */
int text_copy(char *target, size_t size, const char *source) __attribute__((warn_unused_result));

/* As text_copy, but cuts what does not fit: for texts that people read, never for identifiers. */
void text_copy_cut(char *target, size_t size, const char *source);

/* Moves *text on behind `prefix`, if it begins with that; reads no byte behind the first that differs. */
bool text_skip(const char **text, const char *prefix);

/*
 * Parses all of `text` (`length` bytes) as a decimal number without sign or white space.
 * Returns 0, -EINVAL (not a number) or -ERANGE (above `maximum`); *ret is untouched on failure.
 */
int text_to_number(const char *text, size_t length, uint64_t maximum, uint64_t *ret)
    __attribute__((warn_unused_result));

/* The longest name that a misspelt one is compared with, and how many wrong letters still count as misspelt. */
#define TEXT_COMPARED_MAX         63
#define TEXT_MISSPELT_LETTERS_MAX 4

/* Levenshtein's distance between the first TEXT_COMPARED_MAX characters of `a` and `b`. */
size_t text_edit_distance(const char *a, const char *b);

/*
 * Is `name` most probably a slip of `wanted`? Both begin alike but for case, and two letters differ at most:
 * anchor.expose, Anchord.expose.
 */
bool text_is_slip_of(const char *name, const char *wanted);

/* True when the `size` bytes at `text` hold a NUL, i.e. are a string. */
bool text_is_terminated(const char *text, size_t size);

/* A byte for a comment or a word of an error: itself if it is printable ASCII, else a question mark. */
char text_printable(char byte);

/* The longest escape with its NUL. */
#define TEXT_ESCAPED_SIZE 7

/*
 * What a terminal may see of a foreign text, one character after the other. `text` is not empty; `target` becomes its
 * first character, or that one's escape (RFC 8259 §7) if it is a control character: C0, DEL, and C1, which some
 * terminals obey; a separator of lines; or a mark that turns the order of what stands around it, a command to paste
 * included (U+202E and its like). A byte that is no UTF-8 becomes \ufffd. Quotes and backslashes stay. Returns what
 * follows in `text`.
 */
const char *text_escape_first(const char *text, char target[TEXT_ESCAPED_SIZE]);

/* Prints a foreign text so that it cannot colour a terminal or look like another line. Returns how much was printed. */
int text_print_escaped(FILE *stream, const char *text);
