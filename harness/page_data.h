/* The page's own files (page.html, page.css, page.js), as the Makefile turns them into C. */
#ifndef HARNESS_PAGE_DATA_H
#define HARNESS_PAGE_DATA_H

extern const char page_html[], page_css[], page_js[]; /* each ends in NUL */

#endif
