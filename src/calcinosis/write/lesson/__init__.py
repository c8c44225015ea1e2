"""The lesson: short cases with images, questions and answers, as one page and for a course."""
