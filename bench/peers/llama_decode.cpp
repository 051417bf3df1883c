// llama.cpp called directly: its threads wait for the next token awake, which they do not under node-llama-cpp.
//   llama_decode LIBRARIES FILE.gguf THREADS
// Reads lines of "TOKENS ID ID ID ..." and answers each with the seconds of the prompt and of TOKENS tokens after it.
// Built by llama_from_c.mjs.
#include <ggml-backend.h>
#include <llama.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "llama_decode: %s\n", what);
  std::exit(1);
}

void decode(llama_context* context, llama_token* ids, int32_t count) {
  if (llama_decode(context, llama_batch_get_one(ids, count)) != 0) fail("llama_decode failed");
}

llama_token best(llama_context* context, int32_t vocabulary) {
  const float* logits = llama_get_logits_ith(context, -1);
  int32_t best = 0;
  for (int32_t id = 1; id < vocabulary; ++id) {
    if (logits[id] > logits[best]) best = id;
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) fail("expected LIBRARIES FILE.gguf THREADS");
  const int threads = std::atoi(argv[3]);
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  ggml_backend_load_all_from_path(argv[1]);
  llama_backend_init();
  llama_model* model = llama_model_load_from_file(argv[2], llama_model_default_params());
  if (model == nullptr) fail("the model cannot be loaded");
  llama_context_params parameters = llama_context_default_params();
  parameters.n_ctx = 4096;
  parameters.n_batch = 4096;
  parameters.n_ubatch = 512;
  parameters.n_threads = parameters.n_threads_batch = threads;
  llama_context* context = llama_init_from_model(model, parameters);
  if (context == nullptr) fail("no context");
  const int32_t vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    int tokens = 0;
    words >> tokens;
    std::vector<llama_token> prompt;
    for (llama_token id; words >> id;) prompt.push_back(id);
    llama_memory_clear(llama_get_memory(context), true);
    const double start = now();
    decode(context, prompt.data(), static_cast<int32_t>(prompt.size()));
    llama_token next = best(context, vocabulary);
    const double filled = now();
    decode(context, &next, 1);  // its first token, as with the others
    next = best(context, vocabulary);
    const double first = now();
    for (int made = 0; made < tokens; ++made) {
      decode(context, &next, 1);
      next = best(context, vocabulary);
    }
    std::cout << filled - start << ' ' << now() - first << std::endl;
  }
  llama_free(context);
  llama_model_free(model);
}
