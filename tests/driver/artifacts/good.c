#include "note.h"
NOTE(note, "abi=7;sdk=0.1.0;compiler=GCC 12.2.0;job=wordcount");
int some_function(int x) { return x + 1; }
