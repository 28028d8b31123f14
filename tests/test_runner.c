/* Subjects as processes: lines, exits, failed execs, and that nothing is left of them. */
#include "harness/subject.h"
#include "tests/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
	struct loop *loop;
	struct subjects *all;
	char lines[20][200];
	int count, ended;
} world;

static void on_line(void *ctx, struct subject *s, struct str line)
{
	(void)ctx;
	(void)s;
	if (world.count < 20)
		snprintf(world.lines[world.count++], sizeof(world.lines[0]), STR_FMT,
			 STR_ARG(line));
}

static void on_end(void *ctx, struct subject *s)
{
	(void)ctx;
	(void)s;
	world.ended++;
	loop_stop(world.loop);
}

static void begin(void)
{
	memset(&world, 0, sizeof(world));
	world.loop = loop_new();
	world.all = subjects_new(world.loop);
}

static void end(void)
{
	subjects_free(world.all);
	loop_free(world.loop);
}

static struct subject *shell(const char *script, struct error *e)
{
	char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
	char *environment[] = {"KTRIAL_CASE=a=1", NULL};
	struct subject_config config = {.name = "p",
					.program = "/bin/sh",
					.argv = argv,
					.environment = environment,
					.on_line = on_line,
					.on_end = on_end};

	return subject_start(world.all, &config, e);
}

TEST(a_subject_s_lines_arrive_whole_and_before_its_end)
{
	struct subject *s;

	begin();
	s = shell("printf 'one\\ntwo'; echo; echo bad >&2; printf 'last'; exit 3", NULL);
	CHECK(s != NULL);
	loop_run(world.loop);
	CHECK_EQ(world.ended, 1);
	CHECK_EQ(subject_status(s), 3);
	CHECK_EQ(subject_signal_number(s), 0);
	CHECK_EQ(world.count, 3);
	CHECK_TEXT(world.lines[0], "one");
	CHECK_TEXT(world.lines[1], "two");
	CHECK_TEXT(world.lines[2], "last");
	end();
}

TEST(a_subject_has_its_environment_and_its_own_process_group)
{
	char expected[200];

	begin();
	CHECK(shell("echo $KTRIAL_CASE; ps -o pgid= -p $$ | tr -d ' '; echo $$", NULL) != NULL);
	loop_run(world.loop);
	CHECK_TEXT(world.lines[0], "a=1");
	snprintf(expected, sizeof(expected), "%s", world.lines[2]);
	CHECK_TEXT(world.lines[1], expected);
	end();
}

TEST(a_failed_exec_is_no_failing_program)
{
	struct error e = ERROR_INIT;
	char *argv[] = {"nothing", NULL};
	struct subject_config config = {
		.name = "p", .program = "/nonexistent/nothing", .argv = argv};

	begin();
	CHECK(subject_start(world.all, &config, &e) == NULL);
	CHECK_EQ(e.code, ERR_OS);
	CHECK_TEXT(e.text, "can't run /nonexistent/nothing: No such file or directory");
	CHECK_EQ(subjects_running(world.all), 0);
	end();
}

TEST(a_signal_reaches_the_whole_group_and_is_told)
{
	struct subject *s;

	begin();
	s = shell("sleep 100 & sleep 100", NULL);
	CHECK_EQ(subjects_running(world.all), 1);
	subject_signal(s, SIGKILL);
	loop_run(world.loop);
	CHECK_EQ(subject_signal_number(s), SIGKILL);
	CHECK_EQ(subject_status(s), 128 + SIGKILL);
	end();
}

TEST(nothing_is_left_even_of_what_fled_into_a_session_of_its_own)
{
	pid_t fled;

	begin();
	CHECK(shell("setsid sh -c 'echo $$; exec >&- 2>&-; trap \"\" TERM HUP; sleep 100; sleep "
		    "100' & exec sleep 0.05",
		    NULL) != NULL);
	loop_run(world.loop);
	for (int i = 0; i < 100 && !world.count; i++)
		loop_turn(world.loop, 20000);
	CHECK_EQ(world.count, 1);
	fled = (pid_t)strtol(world.lines[0], NULL, 10);
	CHECK_EQ(kill(fled, 0), 0);
	CHECK(subjects_kill(world.all) >= 1);
	CHECK_EQ(kill(fled, 0), -1);
	CHECK_EQ(errno, ESRCH);
	end();
}

TEST(the_last_lines_of_both_outputs_are_remembered)
{
	struct subject *s;
	int n = 0;

	begin();
	s = shell("i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); done; echo oops >&2",
		  NULL);
	loop_run(world.loop);
	while (subject_tail(s, n))
		n++;
	CHECK_EQ(n, SUBJECT_TAIL_MAX);
	CHECK_TEXT(subject_tail(s, SUBJECT_TAIL_MAX - 1), "oops");
	end();
}
