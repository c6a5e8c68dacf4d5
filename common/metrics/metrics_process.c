#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "metrics/metrics.h"

static void expose(struct strbuf *out, const char *name, const char *type, const char *help, double value)
{
    strbuf_appendf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.10g\n", name, help, name, type, name, value);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The second field of /proc/self/statm, in pages. */
static double resident_bytes(void)
{
    long pages = 0, total = 0;
    FILE *stream = fopen("/proc/self/statm", "re");
    if (stream == NULL)
        return 0;
    if (fscanf(stream, "%ld %ld", &total, &pages) != 2)
        pages = 0;
    fclose(stream);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double count_entries(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return 0;
    double count = -2; /* . and .. */
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* Field 22 of /proc/self/stat, in ticks since boot (proc(5)). */
static double start_time_seconds(void)
{
    FILE *stream = fopen("/proc/self/stat", "re");
    if (stream == NULL)
        return 0;
    unsigned long long ticks = 0;
    if (fscanf(stream, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ticks) != 1)
        ticks = 0;
    fclose(stream);
    struct timespec wall, boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (double)(wall.tv_sec - boot.tv_sec) + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void metrics_expose_process(const char *service, struct strbuf *out)
{
    expose(out, "process_cpu_seconds_total", "counter", "CPU time of this process, user and system.", cpu_seconds());
    expose(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    expose(out, "process_open_fds", "gauge", "Open file descriptors.",
           count_entries("/proc/self/fd") - 1 /* the one that counts */);
    expose(out, "process_threads", "gauge", "Threads.", count_entries("/proc/self/task"));
    expose(out, "process_start_time_seconds", "gauge", "When the process started, since 1970.", start_time_seconds());
    strbuf_appendf(out,
                   "# HELP hansom_build_info Version of the running program.\n# TYPE hansom_build_info gauge\n"
                   "hansom_build_info{service=\"%s\",version=\"%s\"} 1\n",
                   service, HANSOM_VERSION);
}
