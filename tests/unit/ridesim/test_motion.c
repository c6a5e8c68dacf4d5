#include <criterion/criterion.h>

#include "motion.h"

static struct motion between(struct trace_point from, struct trace_point to, size_t index)
{
    struct trace_point points[] = {from, to};
    struct trace trace = {points, 2};
    return trace_motion(&trace, index);
}

Test(motion, the_four_winds)
{
    struct trace_point here = {0, 0, 0};
    cr_expect_float_eq(between(here, (struct trace_point){0.001, 0, 10000}, 1).bearing, 0, 1e-6);
    cr_expect_float_eq(between(here, (struct trace_point){0, 0.001, 10000}, 1).bearing, 90, 1e-6);
    cr_expect_float_eq(between(here, (struct trace_point){-0.001, 0, 10000}, 1).bearing, 180, 1e-6);
    cr_expect_float_eq(between(here, (struct trace_point){0, -0.001, 10000}, 1).bearing, 270, 1e-6);
}

Test(motion, speed)
{
    /* A thousandth of a degree of latitude is 111.2 m. */
    struct motion motion = between((struct trace_point){0, 0, 0}, (struct trace_point){0.001, 0, 10000}, 1);
    cr_expect_float_eq(motion.speed_kmh, 40.03, 0.01);
    cr_expect_float_eq(between((struct trace_point){0, 0, 0}, (struct trace_point){0.001, 0, 10000}, 0).speed_kmh,
                       40.03, 0.01, "the first point looks ahead");
    cr_expect_float_eq(between((struct trace_point){0, 0, 0}, (struct trace_point){10, 0, 1000}, 1).speed_kmh, 1500,
                       1e-9, "never more than a payload may say");
}

Test(motion, standing_still)
{
    cr_expect_float_eq(between((struct trace_point){1, 1, 0}, (struct trace_point){1, 1, 1000}, 1).speed_kmh, 0, 1e-12);
    cr_expect_float_eq(between((struct trace_point){1, 1, 5}, (struct trace_point){2, 1, 5}, 1).speed_kmh, 0, 1e-12);
    struct trace_point alone = {1, 1, 0};
    struct trace trace = {&alone, 1};
    cr_expect_float_eq(trace_motion(&trace, 0).speed_kmh, 0, 1e-12);
}
