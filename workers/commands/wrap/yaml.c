/* Strings from outside as YAML; see yaml.h. Runs in anchord-wrap, pure. */
#include "workers/commands/wrap/yaml.h"

#include "common/text.h"

#include <stdint.h>

#define REPLACEMENT_CHARACTER UINT32_C(0xfffd)

/* How many bytes a character has whose first byte this is (RFC 3629 §4); 0 for none. */
static size_t utf8_length(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Decodes the character at `text`, which ends in NUL; returns its length, 1 for a byte that begins none. */
static size_t utf8_decode(const char *text, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = utf8_length((uint8_t)text[0]);
    uint32_t character;

    *ret = REPLACEMENT_CHARACTER;
    if (length == 0)
        return 1;
    character = length == 1 ? (uint8_t)text[0] : (uint8_t)text[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80) /* the NUL, too */
            return 1;
        character = character << 6 | ((uint8_t)text[i] & 0x3fU);
    }
    if (character < smallest[length] || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
        return 1;
    *ret = character;
    return length;
}

static void write_character(FILE *stream, uint32_t character)
{
    if (character == '"' || character == '\\')
        (void)fprintf(stream, "\\%c", (char)character);
    else if (character >= ' ' && character <= '~')
        (void)fputc((int)character, stream);
    else if (character <= 0xff)
        (void)fprintf(stream, "\\x%02x", (unsigned int)character);
    else if (character <= 0xffff)
        (void)fprintf(stream, "\\u%04x", (unsigned int)character);
    else
        (void)fprintf(stream, "\\U%08x", (unsigned int)character);
}

void yaml_write_quoted(FILE *stream, const char *text)
{
    (void)fputc('"', stream);
    while (*text) {
        uint32_t character;

        text += utf8_decode(text, &character);
        write_character(stream, character);
    }
    (void)fputc('"', stream);
}

void yaml_write_plain(FILE *stream, const char *text)
{
    for (; *text; text++)
        (void)fputc(text_printable(*text), stream);
}
