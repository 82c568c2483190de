// glovebox-worker: one process, one box. Started by gloveboxd as a zygote, which forks the workers.
#include "engine/process.h"
#include "server/worker/program.h"

int main(int argc, char** argv) {
  return glovebox::worker::RunProgram(argc, argv, glovebox::engine::Box::Make);
}
