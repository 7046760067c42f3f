//! What judges a document by the others.
