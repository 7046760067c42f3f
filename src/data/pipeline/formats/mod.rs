//! Files and documents: what they hold, read one by one in bounded memory.
