/* What comes back from a network to anchord-probe: ICMP errors as the kernel hands them over, answers of a resolver. */
#include "tests/fuzz/target.h"
#include "workers/commands/probe/answer.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct probe_result result = {.outcome = PROBE_SILENT};
    uint8_t question[DNS_QUERY_SIZE];

    if (answer_read_error(data, size, &result))
        assert(probe_result_is_valid(&result) && result.outcome != PROBE_ANSWERED);
    else
        assert(result.outcome == PROBE_SILENT);
    assert(answer_make_question(1, &(struct ip_address){IP_FAMILY_4, {255, 255, 255, 255}}, question) <=
           sizeof(question));
    (void)answer_is_of_resolver(data, size, 1);
    return 0;
}
