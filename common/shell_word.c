/* Foreign text as one word of a shell's command line; see shell_word.h. Pure, no privilege. */
#include "common/shell_word.h"

#include "common/cleanup.h"

#include <string.h>

/* What no shell gives a meaning, wherever it stands in a word. */
static const char harmless[] = "0123456789_-./:,@%+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static bool is_printable(char letter)
{
    return letter >= ' ' && letter <= '~';
}

static bool is_all_printable(const char *text)
{
    while (is_printable(*text))
        text++;
    return *text == '\0';
}

/* Three octal digits: what follows cannot be taken for a part of them. */
static void write_escaped(FILE *stream, const char *text)
{
    (void)fputs("$'", stream);
    for (; *text; text++) {
        if (!is_printable(*text))
            (void)fprintf(stream, "\\%03o", (unsigned int)(unsigned char)*text);
        else
            (void)fprintf(stream, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    (void)fputc('\'', stream);
}

void shell_word_write(FILE *stream, const char *text)
{
    if (text[0] != '\0' && strspn(text, harmless) == strlen(text)) {
        (void)fputs(text, stream);
        return;
    }
    if (!is_all_printable(text)) {
        write_escaped(stream, text);
        return;
    }
    (void)fputc('\'', stream);
    for (; *text; text++) {
        if (*text == '\'')
            (void)fputs("'\\''", stream); /* ends the quotation, adds one, begins another */
        else
            (void)fputc(*text, stream);
    }
    (void)fputc('\'', stream);
}

const char *shell_word_copy(char target[SHELL_WORD_SIZE], const char *text)
{
    CLEANUP_FREE char *word = NULL;
    size_t length = 0;
    FILE *stream = text[0] == '-' ? NULL : open_memstream(&word, &length);

    (void)snprintf(target, SHELL_WORD_SIZE, "''");
    if (!stream)
        return target;
    shell_word_write(stream, text);
    if (fclose(stream) == 0 && length < SHELL_WORD_SIZE)
        memcpy(target, word, length + 1);
    return target;
}

bool shell_word_is_plain(const char *text)
{
    static const char letters[] = "0123456789_-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return text[0] != '\0' && text[0] != '-' && text[strspn(text, letters)] == '\0';
}
