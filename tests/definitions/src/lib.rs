//! The template, the state machine, the events and the house rules, checked against the code.
