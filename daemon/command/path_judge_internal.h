/* What path_judge.c and path_judge_way.c share: an answer in the making, and its words. Pure. */
#pragma once

#include "daemon/command/path_plan.h"

#include "common/shell_word.h"

struct judging {
    const struct path_scene *scene;
    path_reporter report;
    void *userdata;
    struct answer answer;
    bool is_elsewhere; /* ANSWER_ELSEWHERE was told */
};

static inline size_t path_index_of(uint8_t family)
{
    return family == IP_FAMILY_6 ? 1 : 0;
}

/* For people: cut. */
void path_write_text(char *target, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define SENTENCE(judging_, ...) path_write_text((judging_)->answer.sentence, ANSWER_SENTENCE_SIZE, __VA_ARGS__)
#define WHY(judging_, ...)      path_write_text((judging_)->answer.why, ANSWER_WHY_SIZE, __VA_ARGS__)
#define REMEDY(judging_, ...)   path_write_text((judging_)->answer.remedy, ANSWER_REMEDY_SIZE, __VA_ARGS__)

/* Reports what was written, and begins anew. */
void path_tell(struct judging *judging, enum verdict verdict, enum problem problem);

/* Why there was no answer, or what else came. */
const char *path_how(path_result result);

/* An anchord's own command, as it is typed here. */
#define IN_ANCHOR_SIZE (sizeof("docker exec ") + SHELL_WORD_SIZE)
const char *path_in_anchor(const struct path_scene *scene, char text[IN_ANCHOR_SIZE]);
#define IN_ANCHOR(judging_) path_in_anchor((judging_)->scene, (char[IN_ANCHOR_SIZE]){""})
