import { LibraryFiles } from "./library_files.js";
import { serve } from "./serve.js";

/*
 * Entry of the language process where there is no startup snapshot: reads the compiler and the standard library, which
 * takes about a second.
 */
serve(new LibraryFiles());
