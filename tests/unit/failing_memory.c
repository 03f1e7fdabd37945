/* Allocations that fail on demand; see failing_memory.h. Linked into unit tests only. */
#include "tests/unit/failing_memory.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/flowtable.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>

#include <cmocka.h>

/* More than any attempt needs: one that never succeeds ends here. */
#define ALLOCATIONS_MAX 100000

static size_t countdown; /* 0: nothing fails */
static bool has_failed;

void failing_memory_arm(size_t nth)
{
    countdown = nth;
    has_failed = false;
}

bool failing_memory_disarm(void)
{
    countdown = 0;
    return has_failed;
}

size_t failing_memory_try_each(int (*attempt)(void *context), void *context)
{
    for (size_t nth = 1; nth < ALLOCATIONS_MAX; nth++) {
        int result;

        failing_memory_arm(nth);
        result = attempt(context);
        if (!failing_memory_disarm()) {
            assert_true(result >= 0);
            return nth - 1;
        }
        assert_int_equal(result, -ENOMEM);
    }
    fail_msg("an attempt without a failure is not reached");
    return 0;
}

static bool fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

/* --- what --wrap leads here; the names are the linker's ------------------------------------------------- */

#define WRAP(type_, name_, parameters_, arguments_)        \
    type_ *__real_##name_ parameters_;                     \
    type_ *__wrap_##name_ parameters_;                     \
    type_ *__wrap_##name_ parameters_                      \
    {                                                      \
        return fails() ? NULL : __real_##name_ arguments_; \
    }

WRAP(void, malloc, (size_t size), (size))
WRAP(void, calloc, (size_t count, size_t size), (count, size))
WRAP(void, realloc, (void *old, size_t size), (old, size))
WRAP(void, reallocarray, (void *old, size_t count, size_t size), (old, count, size))
WRAP(char, strdup, (const char *text), (text))
WRAP(char, strndup, (const char *text, size_t size), (text, size))
WRAP(FILE, open_memstream, (char **text, size_t *size), (text, size))
WRAP(struct yajl_gen_t, yajl_gen_alloc, (const yajl_alloc_funcs *functions), (functions))
WRAP(struct yajl_handle_t, yajl_alloc, (const yajl_callbacks *callbacks, yajl_alloc_funcs *functions, void *context),
     (callbacks, functions, context))
WRAP(struct nftnl_table, nftnl_table_alloc, (void), ())
WRAP(struct nftnl_chain, nftnl_chain_alloc, (void), ())
WRAP(struct nftnl_set, nftnl_set_alloc, (void), ())
WRAP(struct nftnl_set_elem, nftnl_set_elem_alloc, (void), ())
WRAP(struct nftnl_rule, nftnl_rule_alloc, (void), ())
WRAP(struct nftnl_expr, nftnl_expr_alloc, (const char *name), (name))
WRAP(struct nftnl_obj, nftnl_obj_alloc, (void), ())
WRAP(struct nftnl_flowtable, nftnl_flowtable_alloc, (void), ())
