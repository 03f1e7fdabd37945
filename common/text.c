/* Strings in fixed arrays and numbers in text; see text.h. Runs in every process, needs no privilege. */
#include "common/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int text_copy(char *target, size_t size, const char *source)
{
    size_t length = strlen(source);

    memset(target, 0, size);
    if (length >= size)
        return -ENAMETOOLONG;
    memcpy(target, source, length);
    return 0;
}

void text_copy_cut(char *target, size_t size, const char *source)
{
    size_t length = strnlen(source, size - 1);

    memset(target, 0, size);
    memcpy(target, source, length);
}

bool text_skip(const char **text, const char *prefix)
{
    size_t length = strlen(prefix);

    if (strncmp(*text, prefix, length) != 0)
        return false;
    *text += length;
    return true;
}

int text_to_number(const char *text, size_t length, uint64_t maximum, uint64_t *ret)
{
    uint64_t number = 0;

    if (length == 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
    }
    for (size_t i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');

        if (number > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        number = number * 10 + digit;
        if (number > maximum)
            return -ERANGE;
    }
    *ret = number;
    return 0;
}

size_t text_edit_distance(const char *a, const char *b)
{
    size_t row[TEXT_COMPARED_MAX + 1];
    size_t a_length = strnlen(a, TEXT_COMPARED_MAX), b_length = strnlen(b, TEXT_COMPARED_MAX);

    for (size_t column = 0; column <= b_length; column++)
        row[column] = column;
    for (size_t line = 1; line <= a_length; line++) {
        size_t diagonal = row[0];

        row[0] = line;
        for (size_t column = 1; column <= b_length; column++) {
            size_t replaced = diagonal + (a[line - 1] != b[column - 1]);
            size_t best = row[column] < row[column - 1] ? row[column] + 1 : row[column - 1] + 1;

            diagonal = row[column];
            row[column] = replaced < best ? replaced : best;
        }
    }
    return row[b_length];
}

bool text_is_slip_of(const char *name, const char *wanted)
{
    enum { ALIKE = 4, LETTERS_MAX = 2 };

    return strncasecmp(name, wanted, ALIKE) == 0 && text_edit_distance(name, wanted) <= LETTERS_MAX;
}

bool text_is_terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

/*
 * The length of the well-formed UTF-8 sequence at `bytes`, 0 if there is none (Unicode 15, table 3-7).
 * A NUL ends every test, so nothing is read beyond the string.
 */
static size_t utf8_sequence_length(const unsigned char *bytes)
{
    size_t length = bytes[0] < 0x80                        ? 1
                    : bytes[0] >= 0xc2 && bytes[0] <= 0xdf ? 2
                    : (bytes[0] & 0xf0) == 0xe0            ? 3
                    : bytes[0] >= 0xf0 && bytes[0] <= 0xf4 ? 4
                                                           : 0;

    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xed && bytes[1] > 0x9f) ||
        (bytes[0] == 0xf0 && bytes[1] < 0x90) || (bytes[0] == 0xf4 && bytes[1] > 0x8f))
        return 0;
    return length;
}

char text_printable(char byte)
{
    if (byte >= ' ' && byte <= '~')
        return byte;
    return '?';
}

/* The character of a well-formed sequence of at most three bytes, else 0. */
static unsigned int basic_character(const unsigned char *bytes, size_t length)
{
    if (length == 1)
        return bytes[0];
    if (length == 2)
        return (bytes[0] & 0x1fU) << 6 | (bytes[1] & 0x3fU);
    if (length == 3)
        return (bytes[0] & 0x0fU) << 12 | (bytes[1] & 0x3fU) << 6 | (bytes[2] & 0x3fU);
    return 0;
}

/* Controls, what breaks a line, and what turns the order of the text around it (Unicode's property Bidi_Control). */
static bool is_obeyed(unsigned int character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x061c || character == 0x200e ||
           character == 0x200f || (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

const char *text_escape_first(const char *text, char target[TEXT_ESCAPED_SIZE])
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = utf8_sequence_length(bytes);
    unsigned int character = basic_character(bytes, length);

    if (length == 0) {
        text_copy_cut(target, TEXT_ESCAPED_SIZE, "\\ufffd");
        return text + 1;
    }
    if (length < 4 && is_obeyed(character)) {
        (void)snprintf(target, TEXT_ESCAPED_SIZE, "\\u%04x", character & 0xffffU); /* the mask is for the compiler */
    } else {
        memset(target, 0, TEXT_ESCAPED_SIZE);
        memcpy(target, text, length);
    }
    return text + length;
}

int text_print_escaped(FILE *stream, const char *text)
{
    int length = 0;

    while (*text) {
        char escaped[TEXT_ESCAPED_SIZE];

        text = text_escape_first(text, escaped);
        length += fprintf(stream, "%s", escaped);
    }
    return length;
}
