#include "note.h"
NOTE(note, "abi=9;sdk=0.9.0;compiler=GCC 14;job=wordcount");
