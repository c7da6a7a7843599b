/* Plain libzmq from C, loaded from the file fabric loads too: zmq-libzmq LIBRARY send|receive throughput|latency COUNT [ADDRESS]. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PUB = 1, SUB = 2, SUBSCRIBE = 6, SNDHWM = 23, RCVHWM = 24, LAST_ENDPOINT = 32, DONTWAIT = 1, BYTES = 128 };

static void *(*ctx_new)(void), *(*make_socket)(void *, int);
static int (*set_option)(void *, int, const void *, size_t), (*get_option)(void *, int, void *, size_t *);
static int (*bind_to)(void *, const char *), (*connect_to)(void *, const char *);
static int (*send_bytes)(void *, const void *, size_t, int), (*receive_bytes)(void *, void *, size_t, int);

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
  long long x = *(const long long *)a, y = *(const long long *)b;
  return (x > y) - (x < y);
}

static void frame(char *bytes, long long number) {
  memset(bytes, 'x', BYTES);
  bytes[snprintf(bytes, BYTES, "t %lld ", number)] = 'x';
}

static void sender(void *socket, int latency, int count) {
  char bytes[BYTES], address[256], line[16];
  size_t size = sizeof address;
  bind_to(socket, "tcp://127.0.0.1:*");
  get_option(socket, LAST_ENDPOINT, address, &size);
  printf("%s\n", address);
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) return;
  frame(bytes, 0);
  for (int n = 0; n < count; n++) {
    if (latency) frame(bytes, now_ns());
    send_bytes(socket, bytes, BYTES, DONTWAIT);
    if (latency) usleep(1000);
  }
  if (!fgets(line, sizeof line, stdin)) return;
}

static void receiver(void *socket, int latency, int count, const char *address) {
  char bytes[BYTES];
  long long *taken = malloc(sizeof(long long) * count), start = 0;
  set_option(socket, SUBSCRIBE, "", 0);
  connect_to(socket, address);
  printf("ready\n");
  fflush(stdout);
  for (int n = 0; n < count; n++) {
    receive_bytes(socket, bytes, BYTES, 0);
    if (n == 0) start = now_ns();
    if (latency) taken[n] = now_ns() - atoll(bytes + 2);
  }
  if (!latency) {
    printf("{\"perSecond\":%.0f}\n", (count - 1) / ((now_ns() - start) / 1e9));
    return;
  }
  long long *steady = taken + count / 4;
  int size = count - count / 4;
  qsort(steady, size, sizeof(long long), by_size);
  printf("{\"p50\":%.1f,\"p99\":%.1f}\n", steady[size / 2] / 1e3, steady[size * 99 / 100] / 1e3);
}

int main(int argc, char **argv) {
  void *lib = dlopen(argv[1], RTLD_LAZY);
  if (!lib || argc < 5) {
    fprintf(stderr, "cannot start: %s\n", lib ? "arguments missing" : dlerror());
    return 1;
  }
  ctx_new = dlsym(lib, "zmq_ctx_new");
  make_socket = dlsym(lib, "zmq_socket");
  set_option = dlsym(lib, "zmq_setsockopt");
  get_option = dlsym(lib, "zmq_getsockopt");
  bind_to = dlsym(lib, "zmq_bind");
  connect_to = dlsym(lib, "zmq_connect");
  send_bytes = dlsym(lib, "zmq_send");
  receive_bytes = dlsym(lib, "zmq_recv");
  int sending = !strcmp(argv[2], "send"), latency = !strcmp(argv[3], "latency"), count = atoi(argv[4]), none = 0;
  void *socket = make_socket(ctx_new(), sending ? PUB : SUB);
  set_option(socket, SNDHWM, &none, sizeof none);
  set_option(socket, RCVHWM, &none, sizeof none);
  if (sending) sender(socket, latency, count);
  else receiver(socket, latency, count, argv[5]);
  return 0;
}
