// A good shared library that is no job: it has neither the note nor the entry point.
extern "C" int Answer() { return 42; }
