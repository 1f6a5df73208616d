// Package sitetest makes sites on fake hosts for tests.
package sitetest
