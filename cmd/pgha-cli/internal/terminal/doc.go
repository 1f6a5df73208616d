// Package terminal is how the program speaks to who runs it: results and notes, colours where there
// is a terminal to show them, one line that shows what is waited for, and questions without echo.
package terminal
