//! Records to terminal tables, self-contained HTML, CSV and JSON.
