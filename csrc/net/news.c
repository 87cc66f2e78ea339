/* A list through the channels themselves: to have news takes no memory. */
#include "net/news.h"

#include "net/internal.h"

void news_add(net_channel *channel) {
    net_loop *loop = channel->loop;
    if (channel->has_news || loop == NULL)
        return;
    channel->has_news = true;
    channel->next_with_news = loop->with_news;
    loop->with_news = channel;
}

void news_forget(net_channel *channel) {
    if (!channel->has_news)
        return;
    net_channel **link = &channel->loop->with_news;
    while (*link != channel)
        link = &(*link)->next_with_news;
    *link = channel->next_with_news;
    channel->has_news = false;
}

net_channel *net_loop_take_news(net_loop *self) {
    net_channel *channel = self->with_news;
    if (channel != NULL) {
        self->with_news = channel->next_with_news;
        channel->has_news = false;
    }
    return channel;
}
